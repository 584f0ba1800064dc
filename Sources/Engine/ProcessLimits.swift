import Foundation

/// What the system lets this process use: cores by its affinity and its control groups' quota, memory by its control groups and by what is free.
public struct ProcessLimits: Sendable, Hashable {
  public var cores: Int
  /// 10⁶ bytes.
  public var megabytes: Double
  /// Which of the limits on memory is the tightest, in words.
  public var memorySource: String

  public init(cores: Int, megabytes: Double, memorySource: String) {
    (self.cores, self.megabytes, self.memorySource) = (cores, megabytes, memorySource)
  }

  /// As they are now; what is free changes.
  public static var current: ProcessLimits { ProcessLimits(root: "") }

  /// - Parameter root: before `/proc` and `/sys`; for tests.
  init(root: String) {
    func text(_ path: String) -> String? { try? String(contentsOfFile: root + path, encoding: .utf8) }
    func numbers(_ path: String) -> [Double] {
      (text(path) ?? "").split { $0.isWhitespace }.map { Double($0) ?? .infinity }  // "max": no limit
    }
    // What sched_getaffinity(2) says, whose name Swift does not see.
    let allowed = text("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
    let affinity = allowed?.dropFirst("Cpus_allowed:".count).reduce(0) { $0 + ($1.hexDigitValue ?? 0).nonzeroBitCount } ?? 0
    cores = affinity > 0 ? affinity : ProcessInfo.processInfo.activeProcessorCount
    let available = text("/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    let kilobytes = available?.split { $0.isWhitespace }.dropFirst().first.flatMap { Double($0) }
    var memory = kilobytes.map { ($0 * 1024 / 1e6, "free on this machine") } ?? (Double(ProcessInfo.processInfo.physicalMemory) / 1e6, "this machine's memory")

    // Limits hold for a group and all those below it, so every group from this process's up to the root counts.
    for line in (text("/proc/self/cgroup") ?? "").split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 3 else { continue }
      let isUnified = parts[1].isEmpty, controllers = parts[1].split(separator: ",").map(String.init)
      for group in Self.upwards(parts[2]) {
        if isUnified || controllers.contains("memory") {
          let folder = isUnified ? "/sys/fs/cgroup\(group)" : "/sys/fs/cgroup/memory\(group)"
          let limit = numbers(folder + (isUnified ? "/memory.max" : "/memory.limit_in_bytes")).first ?? .infinity
          let used = numbers(folder + (isUnified ? "/memory.current" : "/memory.usage_in_bytes")).first ?? 0
          // Cached files count as used, and go when memory is asked for.
          let cached = Self.value("inactive_file", in: text(folder + "/memory.stat") ?? "")
          let left = (limit - max(0, used - cached)) / 1e6
          if left < memory.0 { memory = (max(0, left), "left in this process's control group") }
        }
        if isUnified || controllers.contains("cpu") {
          let quota =
            isUnified
            ? numbers("/sys/fs/cgroup\(group)/cpu.max")
            : numbers("/sys/fs/cgroup/cpu\(group)/cpu.cfs_quota_us") + numbers("/sys/fs/cgroup/cpu\(group)/cpu.cfs_period_us")
          // −1 in the older kind of group: no quota.
          if quota.count == 2, quota[0].isFinite, quota[0] > 0, quota[1] > 0 { cores = min(cores, max(1, Int((quota[0] / quota[1]).rounded(.up)))) }
        }
      }
    }
    (megabytes, memorySource) = memory
  }

  /// `/a/b` → `/a/b`, `/a`, and the root.
  private static func upwards(_ group: String) -> [String] {
    let parts = group.split(separator: "/")
    return (0...parts.count).reversed().map { count in parts.prefix(count).map { "/\($0)" }.joined() }
  }

  private static func value(_ name: String, in table: String) -> Double {
    let rows = table.split(separator: "\n").map { $0.split(separator: " ") }.filter { $0.count == 2 }
    // The older kind of group lists its own share first, and with those below it as "total".
    let row = rows.first { $0[0] == "total_\(name)" } ?? rows.first { $0[0] == name }
    return row.flatMap { Double($0[1]) } ?? 0
  }
}
