/// Shows the progress of a command that runs as a part of another one.
package protocol ProgressDisplay: AnyObject, Sendable {
  func show(_ state: ProgressState)
  func ended(_ summary: Summary)
}
