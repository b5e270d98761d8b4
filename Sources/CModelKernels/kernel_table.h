// All kernels of one variant, and their table.
#include "CModelKernels.h"
#include "attention/causal_attention.h"
#include "attention/kv_attention.h"
#include "elementwise/adam.h"
#include "elementwise/cross_entropy.h"
#include "elementwise/elements.h"
#include "elementwise/embedding.h"
#include "elementwise/norm.h"
#include "matmul/gemm.h"
#include "matmul/gemm_panels.h"
#include "matmul/gemm_skinny.h"
#include "matmul/gemm_tn.h"
#include "matmul/gemv.h"
#include "memory/product_key_memory.h"
#include "memory/product_keys.h"
#include "memory/top_k.h"
#include "memory/value_gradient.h"

static const pkm_kernel_table table = {
    .add = add,
    .scale = scale,
    .fill = fill,
    .squared_norm = squared_norm,
    .dropout = dropout,
    .add_bias = add_bias,
    .copy_rows_nontemporal = copy_rows_nontemporal,
    .residual = residual,
    .bias_gelu = bias_gelu,
    .gelu_backward = gelu_backward,
    .column_sum = column_sum,
    .layer_norm = layer_norm,
    .layer_norm_backward = layer_norm_backward,
    .column_statistics = column_statistics,
    .batch_norm = batch_norm,
    .batch_norm_backward = batch_norm_backward,
    .causal_softmax = causal_softmax,
    .causal_attention = causal_attention,
    .causal_attention_scratch = causal_attention_scratch,
    .causal_attention_backward = causal_attention_backward,
    .causal_attention_backward_scratch = causal_attention_backward_scratch,
    .kv_attention = kv_attention,
    .kv_attention_scratch = kv_attention_scratch,
    .exponentials = exponentials,
    .embed = embed,
    .embed_backward = embed_backward,
    .cross_entropy = cross_entropy,
    .logit_sums = logit_sums,
    .product_key_top_k = product_key_top_k,
    .product_key_top_k_scratch = product_key_top_k_scratch,
#if REAL_IS_FLOAT && HAS_BYTE_DOT
    .packed_subkeys_size = packed_subkeys_size,
    .pack_subkeys = pack_subkeys,
    .search_product_keys = search_product_keys,
    .search_product_keys_scratch = search_product_keys_scratch,
#endif
    .weighted_sum = weighted_sum,
    .weighted_sum_backward = weighted_sum_backward,
    .value_gradient_norm = value_gradient_norm,
    .product_key_top_k_backward = product_key_top_k_backward,
    .accumulate_mass = accumulate_mass,
    .adam = adam,
    .adam_rows = adam_rows,
    .gemm = gemm,
    .gemm_bf16 = gemm_bf16,
    .gemv = gemv,
    .pack_skinny = pack_skinny,
    .gemm_skinny = gemm_skinny,
#if REAL_IS_FLOAT && (HAS_AVX512 || HAS_TILES)
    .pack_panels_nt = pack_panels_nt,
    .pack_panels_nn = pack_panels_nn,
    .gemm_panels = gemm_panels,
    .gemm_tn = gemm_tn,
#endif
    .round_to_bf16 = round_to_bf16,
    .widen_bf16 = widen_bf16,
};
