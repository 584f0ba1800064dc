import Testing

@Suite struct ScheduleTestsPlaceholder { @Test func placeholder() {} }
