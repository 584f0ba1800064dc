import Testing

/// A command line and what it leaves, in a folder that holds what `Finished` made. The option's effect must be among it: a row of which nothing
/// changes when the option is dropped on its way to the command tests nothing.
struct OptionCase: CustomTestStringConvertible {
  enum Trace {
    /// On standard output, runs of spaces as one.
    case says(String)
    case doesNotSay(String)
    /// On standard error.
    case complains(String)
    /// A file or folder.
    case leaves(String)
    case leavesNo(String)
    /// A file that has the text among its bytes, or has it not.
    case writes(String, into: String)
    case writesNo(String, into: String)
  }

  var command: String
  var arguments: String
  var code: Int32
  var traces: [Trace]
  /// Taken away before.
  var without: String?

  init(_ command: String, _ arguments: String, _ code: Int32, _ traces: Trace..., without: String? = nil) {
    (self.command, self.arguments, self.code, self.traces, self.without) = (command, arguments, code, traces, without)
  }

  var words: [String] { (command + " " + arguments).split(separator: " ").map(String.init) }
  /// "run --only", "run --out", …
  var options: [String] { words.filter { $0.hasPrefix("--") }.map { "\(command) \($0.split(separator: "=")[0])" } }
  var testDescription: String { "\(command) \(arguments)" }

  /// How many threads there are leaves no trace where nothing writes it down, since no result depends on it: that the option reaches its check is all
  /// that can be seen. `--isa` is chosen in its check.
  static let checked = [
    OptionCase("data verify", "--threads 0", 2, .complains("--threads 0: accepted: 1 to 1024")),
    OptionCase("data synthesize", "--out new --threads 0", 2, .complains("--threads 0: accepted: 1 to 1024")),
    OptionCase("data fetch", "--threads 0", 2, .complains("--threads 0: accepted: 1 to 1024")),
    OptionCase("predict", "data/images --out found --threads 0", 2, .complains("--threads 0: accepted: 1 to 1024")),
    OptionCase("predict", "data/images --out found --weights a.safetensors --isa none", 2, .complains("--isa none: accepted on this processor: reference,")),
    OptionCase("export", "--weights a.safetensors --format onnx --out x.onnx --isa none", 2, .complains("--isa none: accepted on this processor: reference,")),
  ]

  static let runs = [
    OptionCase("run", "tiny.yaml --set model.depth=99", 2, .complains("--set model.depth=99: not accepted")),
    OptionCase("run", "tiny.yaml --only A", 0, .says("tiny: nothing to do, the 2 trials asked for are done")),
    OptionCase("run", "tiny.yaml --out other --only B", 0, .says("tiny: other/report.md"), .leaves("other/report.md")),
    OptionCase("run", "tiny.yaml --data nowhere", 0, .complains("nowhere: no such data folder (named by --data)")),
    // Several at once begin with the larger network, B.
    OptionCase("run", "tiny.yaml --fresh --jobs 1", 0, .says("^A, seed 1: preparing")),
    OptionCase("run", "tiny.yaml --out other --only B --threads 3", 0, .writes("\"threads\" : \"3\"", into: "other/provenance.json")),
    OptionCase("run", "tiny.yaml --out other --only B --isa reference", 0, .writes("\"instruction_set\" : \"reference\"", into: "other/provenance.json")),
    OptionCase("run", "tiny.yaml --out other --executor slurm", 5, .complains("--executor slurm: sbatch is not to be found")),
    OptionCase("run", "tiny.yaml --only-job none", 2, .complains("tiny has no job none here")),
    OptionCase("run", "tiny.yaml --only-failed", 0, .says("tiny: nothing to do, no trial has failed")),
    OptionCase("run", "tiny.yaml --fresh --only B", 0, .says("B, seed 1: train epoch 1/1")),
    OptionCase("run", "tiny.yaml --retime --only A", 0, .says("times of 2 trials, in turn: 2 rounds")),
    OptionCase("run", "tiny.yaml --log-format jsonl", 0, .says("\"event\":\"run_finished\",\"experiment\":\"tiny\",\"state\":\"nothing_to_do\"")),

    OptionCase("plan", "tiny.yaml", 0, .says("tiny: 4 trials, 18 jobs: 18 cached")),
    OptionCase("plan", "tiny.yaml --set train.epochs=2", 0, .says("train.epochs 1 → 2")),
    OptionCase("plan", "tiny.yaml --set train.epochs=2 --only A", 0, .says("A, seed 1 train.epochs 1 → 2"), .doesNotSay("B, seed 1 train.epochs 1 → 2")),
    OptionCase("plan", "tiny.yaml --set train.epochs=2 --jobs 3 --threads 5", 0, .says("at once: 3 trials × 5 threads")),
    OptionCase("plan", "tiny.yaml --out nowhere --detailed-exitcode", 10, .says("18 jobs: 17 to run, 1 cached"), .leavesNo("nowhere")),
    OptionCase("plan", "tiny.yaml --data nowhere", 0, .complains("nowhere: no such data folder (named by --data)")),
    OptionCase("plan", "tiny.yaml --isa reference", 0, .says("→ reference")),
    OptionCase("plan", "tiny.yaml --format json", 0, .says("\"experiment\" : \"tiny\"")),
    OptionCase("plan", "tiny.yaml --format mermaid", 0, .says("^flowchart LR")),
    OptionCase("plan", "tiny.yaml --format dot", 0, .says("^digraph plan {")),

    OptionCase("validate", "tiny.yaml", 0, .says("tiny.yaml: valid, 4 trials")),
    OptionCase("validate", "tiny.yaml --set model.depth=99", 2, .complains("--set model.depth=99: not accepted")),
    OptionCase("validate", "tiny.yaml --log-format jsonl", 0, .says("\"event\":\"message\",\"text\":\"tiny.yaml: valid, 4 trials\"")),

    OptionCase("report", "results/tiny", 0, .says("tiny: results/tiny/report.md")),
    OptionCase("report", "tiny.yaml --check", 3, .complains("(tolerance 0.1)")),
    OptionCase("report", "tiny.yaml --set train.epochs=7", 5, .complains("results/tiny: nothing of these settings")),
    OptionCase("report", "tiny.yaml --out nowhere", 5, .complains("nowhere: no trial has been run yet")),
    OptionCase(
      "report", "tiny.yaml --data nowhere", 0, .leaves("results/tiny/figures/losses.svg"), .leavesNo("results/tiny/figures/segmentation.png"),
      without: "results/tiny/figures"),
    OptionCase("report", "tiny.yaml --log-format jsonl", 0, .says("\"event\":\"message\",\"text\":\"tiny: results/tiny/report.md\"")),

    OptionCase("explain", "tiny.yaml train.epochs", 0, .says("A 1 tiny.yaml")),
    OptionCase("explain", "tiny.yaml train.epochs --set train.epochs=7", 0, .says("A 7 --set")),
  ]

  static let networks = [
    OptionCase("summary", "tiny.yaml", 0, .says("unet+ 2 3 transposed"), .says("unet 2 3")),
    OptionCase("summary", "tiny.yaml --set model.base_filters=4", 0, .says("unet+ 4 3 transposed")),
    OptionCase("summary", "tiny.yaml --json", 0, .says("\"networks\" :")),
    OptionCase(
      "summary", "--architecture unet+ --base-filters 3 --depth 4 --upsampling nearest --side 64", 0, .says("unet+ 3 4 nearest"), .says("image [1, 64, 64]")),

    OptionCase(
      "bench", "--architecture unet+ --base-filters 3 --depth 4 --upsampling nearest --side 64 --mode train --batch 2 --threads 3 --isa reference --precision bf16 --seconds 0 --json", 0,
      .says("\"architecture\" : \"unet+\""), .says("\"base_filters\" : 3,"), .says("\"depth\" : 4,"), .says("\"upsampling\" : \"nearest\""), .says("\"side\" : 64,"),
      .says("\"mode\" : \"train\""), .says("\"batch\" : 2,"), .says("\"threads\" : 3,"), .says("\"isa\" : \"reference\""), .says("\"precision\" : \"bf16\""),
      // The least there are.
      .says("\"steps\" : 3,")),
    OptionCase("bench", "--architecture unet --base-filters 2 --depth 3 --side 32 --seconds 0 --layers", 0, .says("forward 0.")),
    OptionCase("bench", "--mode preprocess --seconds 0", 0, .says("CLAHE and total variation of a 512 × 640 image")),
  ]

  static let data = [
    OptionCase("data verify", "--json", 0, .says("\"training_images\" : 3,")),
    OptionCase("data verify", "--data nowhere", 5, .complains("nowhere: no such data folder (named by --data)")),
    OptionCase(
      "data synthesize", "--out new --train 1 --test 2 --side 40", 0, .says("new: 1 training and 2 test images of 40 × 40"), .leaves("new/images/train-0000.png"),
      .leaves("new/test/images/test-0001.png")),
    OptionCase("data synthesize", "--out new --seed=-1", 2, .complains("data.synthetic.seed cannot be -1")),
    OptionCase("data fetch", "--url http://127.0.0.1:1/ --out fetched", 5, .complains("http://127.0.0.1:1/stage1_train.zip: download broke off"), .leaves("fetched.fetch")),
    // What is there already is verified only.
    OptionCase("data fetch", "--out data --json", 0, .says("\"training_images\" : 3,"), .doesNotSay("verifying")),

    OptionCase("evaluate", "--predictions nowhere --truth data/test/masks", 5, .complains("nowhere: no such file or folder")),
    OptionCase("evaluate", "--predictions data/test/masks --truth nowhere", 5, .complains("nowhere: no such file or folder")),
    OptionCase("evaluate", "--predictions data/test/masks --truth data/test/masks --json", 0, .says("\"images\" : 2,")),
    OptionCase("evaluate", "--predictions data/test/masks --truth data/test/masks --csv scores.csv", 0, .writes("\ntest-0001,", into: "scores.csv")),
  ]

  static let models = [
    OptionCase("predict", "data/test/images --out found --weights a.safetensors", 0, .leaves("found/test-0001_labels.png"), .leavesNo("found/test-0001_probability.npy")),
    OptionCase("predict", "data/test/images --out found --weights nowhere", 5, .complains("nowhere: cannot be read")),
    OptionCase("predict", "data/test/images --out found --weights a.safetensors --set model.base_filters=4", 6, .complains("weights of another network")),
    OptionCase("predict", "data/test/images --out found --weights a.safetensors --overlap 29", 2, .complains("tiles of 32 pixels overlap by at most 28")),
    OptionCase("predict", "data/test/images --out found --weights a.safetensors --pixel-size 0.5", 0, .writes(",um\n", into: "found/counts.csv")),
    OptionCase("predict", "data/test/images --out found --weights a.safetensors --probabilities", 0, .leaves("found/test-0001_probability.npy")),
    OptionCase("predict", "data/test/images --out found --weights a.safetensors --rle runs.csv", 0, .writes("ImageId,EncodedPixels", into: "runs.csv")),

    OptionCase("publish", "results/tiny --trial A --seed 2 --out x.safetensors --card card.md", 0, .says("x.safetensors: A, seed 2; its card: card.md"), .writes("x.safetensors", into: "card.md")),

    OptionCase("export", "--weights a.safetensors --format onnx --out x.onnx", 0, .writes("height", into: "x.onnx"), .writesNo("BatchNormalization", into: "x.onnx")),
    OptionCase("export", "--weights a.safetensors --format onnx --out x.onnx --keep-batch-norm", 0, .writes("BatchNormalization", into: "x.onnx")),
    OptionCase("export", "--weights a.safetensors --format safetensors --out x --fold-batch-norm", 2, .complains("--fold-batch-norm and --keep-batch-norm go with")),
    OptionCase("export", "--weights a.safetensors --format safetensors --out x --layout keras", 0, .writes("C10/kernel", into: "x")),
    OptionCase("export", "--weights a.safetensors --format onnx --out x.onnx --set model.base_filters=4", 6, .complains("weights of another network")),
    // A package's files are stored as they are.
    OptionCase(
      "export", "--weights a.safetensors --format bioimageio --out x.zip --side 64 --name Nuclei_of_mine --author Ada --author Bob --license MIT", 0,
      .writes("id: y, size: 64}", into: "x.zip"), .writes("name: \"Nuclei_of_mine\"", into: "x.zip"), .writes("{name: \"Ada\"}", into: "x.zip"),
      .writes("{name: \"Bob\"}", into: "x.zip"), .writes("license: MIT", into: "x.zip")),

    OptionCase("import", "--weights keras.safetensors --out x.safetensors", 0, .says("from Keras's names"), .leaves("x.safetensors")),
    OptionCase(
      "import", "--names --architecture unet+ --base-filters 3 --depth 4 --upsampling nearest --normalization none", 0,
      .says("^unet+ (nearest), B = 3, N = 4, no batch norm"), .says("C10.kernel [3, 1, 3, 3]")),
    OptionCase("import", "--names --architecture unet --set model.base_filters=3", 0, .says("^unet, B = 3, N = 5, no batch norm")),
  ]

  static let all = checked + runs + networks + data + models
}
