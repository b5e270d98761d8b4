import Model

/// One optimizer step: forward and backward over the micro-batches of a batch, then the update.
package struct TrainingStep<Device: Operations> where Device.Scalar == Float {
  private let model: Transformer<Device>
  private let optimizer: Optimizer<Device>
  private let train: TrainingConfiguration
  private let collective: any Collective

  package init(
    _ model: Transformer<Device>, _ optimizer: Optimizer<Device>, _ train: TrainingConfiguration,
    collective: any Collective = SingleProcess()
  ) {
    (self.model, self.optimizer, self.train, self.collective) = (model, optimizer, train, collective)
  }

  /// Updates the model from this rank's part of a batch, sequence by sequence. A target below 0 is padding.
  ///
  /// Does not wait for the device; ``Transformer/readStep()`` does.
  package func run(inputs: UnsafeBufferPointer<Int32>, targets: UnsafeBufferPointer<Int32>) {
    model.zeroGradients()
    // The gradients are those of the mean loss of the scored tokens of all ranks.
    let scale = 1 / Double(collective.sum(targets.count { $0 >= 0 }))
    let length = model.configuration.context, size = train.sequencesAtOnce * length
    let microBatches = inputs.count / size
    for index in 0..<microBatches {
      let range = index * size..<(index + 1) * size
      model.forward(
        tokens: UnsafeBufferPointer(rebasing: inputs[range]), sequences: train.sequencesAtOnce,
        length: length,
        // Counted over all ranks, so that no two of them drop the same elements.
        mode: .training(
          step: UInt64(optimizer.updates), microBatch: collective.rank * microBatches + index))
      model.addLoss(
        targets: UnsafeBufferPointer(rebasing: targets[range]), labelSmoothing: train.labelSmoothing)
      model.backward(scale: scale)
    }
    if let gradients = model.gradients { collective.sum(gradients, on: model.device) }
    for memory in 0..<model.memoryCount {
      collective.gather(model.valueGradient(ofMemory: memory), on: model.device)
    }
    optimizer.step(train)
  }
}
