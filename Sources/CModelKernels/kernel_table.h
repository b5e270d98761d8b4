// All kernels of one precision and instruction set, and their table.
#include "real.h"

#include "elementwise/elements.h"
#include "elementwise/norm.h"
#include "matmul/packed_groups.h"
#include "matmul/gemm.h"
#include "matmul/gemm_panels.h"
#include "matmul/gemm_tn.h"
#include "attention/attention_tiles.h"
#include "attention/causal_attention.h"
#include "attention/kv_attention.h"
#include "elementwise/cross_entropy.h"
#include "memory/top_k.h"
#include "memory/key_estimates.h"
#include "memory/product_keys.h"
#include "memory/product_key_memory.h"
#include "elementwise/adam.h"

static const kernel_table table = {
    .add = add,
    .multiply = multiply,
    .fill = fill,
    .squared_norm = squared_norm,
    .dropout = dropout,
    .add_bias = add_bias,
    .write_rows = write_rows,
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
    .attend = attend,
    .attend_scratch = attend_scratch,
    .exponentials = exponentials,
    .embed = embed,
    .embed_backward = embed_backward,
    .cross_entropy = cross_entropy,
    .logit_sums = logit_sums_of,
    .product_top = product_top,
    .product_top_scratch = product_top_scratch,
#if REAL_IS_FLOAT && HAS_BYTE_DOT
    .packed_keys_size = packed_keys_size,
    .pack_keys = pack_keys,
    .search_keys = search_keys,
    .search_scratch = search_scratch,
#endif
    .weighted_sum = weighted_sum,
    .weighted_sum_backward = weighted_sum_backward,
    .value_gradient_norm = value_gradient_norm,
    .product_top_backward = product_top_backward,
    .accumulate_mass = accumulate_mass,
    .adam = adam,
    .adam_rows = adam_rows,
    .product = product,
    .product_bf16 = product_bf16,
    .product_row = product_row,
    .pack_few = pack_few,
    .product_few = product_few,
#if REAL_IS_FLOAT && HAS_AVX512
    .pack_panels = pack_panels,
    .pack_panel_words = pack_panel_words,
    .multiply_panels = multiply_panels,
    .multiply_columns = multiply_columns,
#endif
    .to_operand = to_operand,
    .from_operand = from_operand,
};
