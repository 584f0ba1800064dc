import Testing

@Suite struct NetworkTestsPlaceholder { @Test func placeholder() {} }
