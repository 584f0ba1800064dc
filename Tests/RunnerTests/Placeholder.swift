import Testing

@Suite struct RunnerTestsPlaceholder { @Test func placeholder() {} }
