extension Transformer {
  /// A block and the scope of its activations.
  struct Layer {
    let block: Block<Device>
    let scope: BufferScope
  }

  /// The plan of all activations and scratch buffers of a model, and the layers that hold views of them.
  ///
  /// Three groups of buffers share memory because they are live at different times:
  ///
  ///     group     buffers                                         live
  ///     model     tokens, embedding, norm output, gradient, ...   always
  ///     loss      logit gradients                                 from the loss to the output head's backward pass
  ///     scratch   branch, feed-forward, attention gradients, ...  while the blocks compute
  ///     layers    activations of each block                       training: from forward to backward pass of the block
  ///                                                               inference: while the block computes
  ///
  /// "loss" and "scratch" overlay each other: the logits are computed after the last block, and used up before the first
  /// block goes backward. Among the layers, the blocks of an inference pass overlay each other, and all of them together
  /// overlay those of a training pass. Blocks that are recomputed use their inference buffers in training, too.
  struct ActivationPlan {
    let tokens, targets: DeviceArray<Int32>
    /// Of the training and of the evaluation passes since they were last cleared.
    let trainingLoss, evaluationLoss: LossSums
    /// The squared norm of the gradients of a step.
    let squaredNorm: DeviceArray<Double>
    let embedding: Embedding<Device>
    /// The blocks of a training and of an inference pass.
    let training, inference: [Layer]
    /// The memories of the training blocks.
    let memories: [ProductKeyMemory<Device>]
    /// The residual sums that all inference blocks share.
    let inferenceSums: BufferScope
    /// Saved results of the blocks whose activations are recomputed for the backward pass; nil for the others.
    let checkpoints: [MixedMatrix<Scalar>?]
    /// The last block with a checkpoint. Its activations are still there in the backward pass.
    let lastCheckpoint: Int?
    let finalNorm: LayerNorm<Device>?
    /// The final hidden states, in the buffer of the norms' outputs.
    let final: Operand<Scalar>
    let head: OutputHead<Device>
    let scratch: Block<Device>.Scratch
    /// The gradient of the residual stream; nil without training.
    let gradient: MixedMatrix<Scalar>?

    /// - Parameter microBatches: of one step at most; nil without training.
    init(
      _ configuration: ModelConfiguration, _ store: ParameterStore<Scalar>, rows: Int, isBF16: Bool,
      microBatches: Int?, recomputes: Bool, _ plan: inout ArenaPlan
    ) {
      let d = configuration.dim, isTraining = microBatches != nil, isPreNorm = configuration.norm == .pre
      tokens = plan.take("tokens", Int32.self, rows)
      targets = plan.take("targets", Int32.self, rows)
      // Together, so that a step reads them at once.
      let sums = plan.take("sums", Double.self, LossSums.count + 1)
      trainingLoss = LossSums(sums[0..<LossSums.count])
      squaredNorm = sums[LossSums.count..<LossSums.count + 1]
      evaluationLoss = LossSums(plan.take("evaluation_sums", Double.self, LossSums.count))
      let embedding = Embedding<Device>(configuration, in: store, rows: rows, isBF16: isBF16, &plan)
      let normOutput = Block<Device>.NormOutput(
        "norm_output", configuration, rows: rows, isBF16: isBF16, &plan)
      gradient = isTraining ? plan.mixedMatrix("stream_gradient", rows, d, isBF16: isBF16) : nil
      let (head, scratch) = plan.overlay(
        { OutputHead(embedding, in: store, rows: rows, training: isTraining, isBF16: isBF16, &$0) },
        {
          Block.Scratch(
            configuration, rows: rows, normOutput: isPreNorm ? normOutput : nil, isTraining: isTraining,
            isBF16: isBF16, &$0)
        })

      func layer(
        _ index: Int, _ lifetime: Lifetime, sums: Block<Device>.Sums?,
        _ valueGradient: ValueGradient<Scalar>?,
        _ plan: inout ArenaPlan
      ) -> Layer {
        let (block, scope) = plan.scope("block \(index)", lifetime) { plan in
          Block<Device>(
            index, configuration, in: store, rows: rows,
            sums: sums ?? .init("blocks.\(index)", configuration, rows: rows, &plan),
            normOutputs: (scratch.normOutput, normOutput), queries: scratch.queries,
            valueGradient: valueGradient, isBF16: isBF16, &plan)
        }
        return Layer(block: block, scope: scope)
      }
      let layers = 0..<configuration.layers
      func inferenceLayers(_ plan: inout ArenaPlan) -> (layers: [Layer], sums: BufferScope) {
        let (sums, scope) = plan.scope("residual sums", .inference) {
          Block<Device>.Sums("blocks", configuration, rows: rows, &$0)
        }
        return (plan.overlay(each: layers) { layer($0, .inference, sums: sums, nil, &$1) }, scope)
      }
      /// The gathered reads outlive the activations of the memory that they come from: until the optimizer's step.
      let valueGradients = layers.map { index -> ValueGradient<Scalar>? in
        guard let microBatches, let memory = configuration.memory, configuration.hasMemory(at: index) else {
          return nil
        }
        return ValueGradient(
          slots: memory.shape.slots, dimension: d, tokens: rows * microBatches, reads: memory.shape.reads,
          in: &plan)
      }
      func trainingLayer(_ index: Int, _ plan: inout ArenaPlan) -> Layer {
        layer(index, .training, sums: nil, valueGradients[index], &plan)
      }

      let isRecomputed = layers.map { isTraining && recomputes && !configuration.hasMemory(at: $0) }
      if isTraining && !recomputes {
        let (inference, training) = plan.overlay(
          { inferenceLayers(&$0) }, { plan in layers.map { trainingLayer($0, &plan) } })
        (self.inference, inferenceSums, self.training) = (inference.layers, inference.sums, training)
      } else {
        // Blocks that are recomputed use their inference buffers while those of the others are live.
        let (inference, sums) = inferenceLayers(&plan)
        training = layers.map {
          !isTraining || isRecomputed[$0] ? inference[$0] : trainingLayer($0, &plan)
        }
        (self.inference, inferenceSums) = (inference, sums)
      }
      memories = training.compactMap(\.block.memory)
      checkpoints = layers.map { index in
        guard isRecomputed[index] else { return nil }
        let result: Matrix<Scalar> = plan.matrix("checkpoint \(index)", rows, d)
        return isPreNorm
          ? MixedMatrix(real: result, operand: Operand(result))
          : plan.mixedMatrix("checkpoint \(index)", result, isBF16: isBF16)
      }
      lastCheckpoint = isRecomputed.lastIndex(of: true)
      finalNorm = isPreNorm ? LayerNorm("output.norm", in: store, rows: rows, &plan) : nil
      final = normOutput.operand
      (self.embedding, self.head, self.scratch) = (embedding, head, scratch)
    }
  }
}

extension Block.Scratch {
  /// - Parameter normOutput: of the first norm; nil for a buffer of its own.
  init(
    _ configuration: ModelConfiguration, rows: Int, normOutput: Block<Device>.NormOutput?, isTraining: Bool,
    isBF16: Bool, _ plan: inout ArenaPlan
  ) {
    typealias Scalar = Device.Scalar
    let d = configuration.dim
    let (scratch, scope) = plan.scope("blocks", .scratch) { plan in
      let branch: Matrix<Scalar> = plan.matrix("branch", rows, d)
      let queries = configuration.memory.map {
        ProductKeyMemory<Device>.queries($0.shape, rows: rows, isBF16: isBF16 && isTraining, &plan)
      }
      let normOutput =
        normOutput
        ?? Block<Device>.NormOutput("first_norm_output", configuration, rows: rows, isBF16: isBF16, &plan)
      let masked: MixedMatrix<Scalar>? =
        isTraining ? plan.mixedMatrix("masked_gradient", rows, d, isBF16: isBF16) : nil
      let memory =
        isTraining
        ? configuration.memory.map {
          ProductKeyMemory<Device>.Workspace($0.shape, rows: rows, isBF16: isBF16, &plan)
        } : nil
      // A feed-forward is through with its activations before an attention computes.
      let (feedForward, passes) = plan.overlay(
        { FeedForward<Device>.Scratch(configuration, rows: rows, isBF16: isBF16, &$0) },
        { plan in
          isTraining
            ? Passes.training(
              Backward(
                attention: .init(configuration, rows: rows, isBF16: isBF16, &plan), masked: masked!,
                memory: memory))
            : .inference(.init(configuration, rows: rows, &plan))
        })
      return (branch: branch, queries: queries, normOutput: normOutput, feedForward, passes)
    }
    self.init(
      scope: scope, branch: scratch.branch, feedForward: scratch.3, queries: scratch.queries,
      normOutput: scratch.normOutput, passes: scratch.4)
  }
}
