import Testing

@Suite struct EngineTestsPlaceholder { @Test func placeholder() {} }
