import Testing

@Suite(.timeLimit(.minutes(60))) struct CommandLineTests {
  @Test(arguments: [Tool.data, Tool.train]) func helpAndUsage(tool: Tool) throws {
    let help = try tool("--help")
    #expect(help.status == 0 && help.text.contains("USAGE: \(tool.name)"))
    #expect(try tool("--no-such-flag").status == 64)
  }
}
