import Foundation
import Testing

@testable import Engine

/// Limits as the system writes them down, read from made-up trees.
@Suite struct ProcessLimitsTests {
  private static func limits(_ files: [String: String]) throws -> ProcessLimits {
    let root = NSTemporaryDirectory() + "/limits-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }
    for (path, text) in files {
      let full = root + path
      try FileManager.default.createDirectory(atPath: (full as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try text.write(toFile: full, atomically: true, encoding: .utf8)
    }
    return ProcessLimits(root: root)
  }

  private static let memory = ["/proc/meminfo": "MemTotal:       32000000 kB\nMemAvailable:   20000000 kB\n", "/proc/self/status": "Name:\tx\nCpus_allowed:\t0000,0000ffff\n"]

  @Test func withoutGroupsTheMachineCounts() throws {
    let limits = try Self.limits(Self.memory)
    #expect(limits == ProcessLimits(cores: 16, megabytes: 20480, memorySource: "free on this machine"))
  }

  @Test func aGroupAboveLimitsThoseBelow() throws {
    let limits = try Self.limits(
      Self.memory.merging([
        "/proc/self/cgroup": "0::/job/step\n", "/sys/fs/cgroup/job/step/memory.max": "max\n", "/sys/fs/cgroup/job/step/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/job/memory.max": "4000000000\n", "/sys/fs/cgroup/job/memory.current": "3000000000\n",
        "/sys/fs/cgroup/job/memory.stat": "anon 1\ninactive_file 1500000000\n", "/sys/fs/cgroup/job/cpu.max": "250000 100000\n",
      ]) { $1 })
    #expect(limits == ProcessLimits(cores: 3, megabytes: 2500, memorySource: "left in this process's control group"))
  }

  @Test func groupsOfTheOlderKind() throws {
    let limits = try Self.limits(
      Self.memory.merging([
        "/proc/self/cgroup": "4:memory:/job\n2:cpu,cpuacct:/job\n0::/\n", "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "2000000000\n",
        "/sys/fs/cgroup/memory/job/memory.usage_in_bytes": "500000000\n",
        "/sys/fs/cgroup/memory/job/memory.stat": "inactive_file 1\ntotal_inactive_file 100000000\n",
        "/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "-1\n", "/sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      ]) { $1 })
    #expect(limits == ProcessLimits(cores: 4, megabytes: 1600, memorySource: "left in this process's control group"))
  }

  @Test func thisProcessMayUseSomething() {
    let limits = ProcessLimits.current
    #expect(limits.cores >= 1 && limits.megabytes > 0)
  }
}
