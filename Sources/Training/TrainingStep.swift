import Model

/// One optimizer step: forward and backward over the micro-batches of a batch, then the update.
package struct TrainingStep<Device: Operations> where Device.Scalar == Float {
  /// What a step has measured.
  package struct Result {
    package let loss: Loss
    /// Of the gradients that move something, before they are clipped.
    package let norm: Double
    /// Whether the step has left the model as it was.
    package let isSkipped: Bool
  }

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
  /// Between the gradients and the update it waits for the device once. If `accepts` refuses the smoothed loss and the norm on
  /// any rank, parameters, moments and running statistics stay as they were.
  package func run(
    inputs: UnsafeBufferPointer<Int32>, targets: UnsafeBufferPointer<Int32>,
    accepts: (_ loss: Double, _ norm: Double) -> Bool
  ) -> Result {
    model.zeroGradients()
    optimizer.saveStatistics()
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
    optimizer.measure(train)
    let (loss, squaredNorm) = model.readStep(), norm = squaredNorm.squareRoot()
    let isSkipped = collective.agree(!accepts(loss.smoothed, norm))
    if isSkipped { optimizer.skip() } else { optimizer.update(train) }
    return Result(loss: loss, norm: norm, isSkipped: isSkipped)
  }

  /// The same, whatever the loss and the norm are.
  package func run(inputs: UnsafeBufferPointer<Int32>, targets: UnsafeBufferPointer<Int32>) {
    _ = run(inputs: inputs, targets: targets) { _, _ in true }
  }
}
