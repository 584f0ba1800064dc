/// Trials whose times are of one network, whatever their weights were trained with: what a network takes does not depend on its weights' values.
struct TimedNetwork {
  /// Of the trials, in the report's order.
  var names: [String]
  var precision: String
  /// Of the last turn that any of the trials was in, in every precision and number of threads; where none was taken in turn, the first trial's.
  var timings: [TimingRecord]
}

extension ReportData {
  /// The networks that were timed, in the report's order.
  var timedNetworks: [TimedNetwork] {
    var names: [Network: [String]] = [:], order: [Network] = []
    for name in self.names {
      guard let row = trials.first(where: { $0.trial == name && $0.parameters != nil }), let main = mainTimings(of: name).first else { continue }
      let network = Network(
        architecture: row.architecture, parameters: row.parameters, multiplyAdds: row.multiplyAdds, upsampling: row.upsampling, precision: main.precision)
      if names[network] == nil { order.append(network) }
      names[network, default: []].append(name)
    }
    return order.map { network in
      let names = names[network]!, all = timings.map(\.timing).filter { names.contains($0.trial) }
      let last = all.compactMap(\.turn).max()
      return TimedNetwork(names: names, precision: network.precision, timings: all.filter { last == nil ? $0.trial == names[0] : $0.turn == last })
    }
  }

  /// What makes two networks take the same time.
  private struct Network: Hashable {
    var architecture: String, parameters: Int?, multiplyAdds: Int?, upsampling: String, precision: String
  }
}
