"""Names of files that one command writes and others read, each once."""

#: Of a folder of models.
MODELS_INDEX = "models.json"
BASELINES = "baselines.json"
COMPOSITION = "composition.json"
CROSS_VALIDATION = "cross_validation.csv"
OUT_OF_FOLD = "out_of_fold.csv"
DATA_QUALITY = "data_quality.csv"
DATA_RANGES = "data_ranges.csv"
LEARNING_CURVE = "learning_curve.csv"

#: Of a folder of measurements.
MANIFEST = "manifest.json"
NETWORK_TABLE = "networks.csv"
NETWORK_LAYER_TABLE = "network_layers.csv.gz"
VISIT_RECORDS = "visits.jsonl.gz"

#: Beside prototxts: how each is read, and what is published about it.
NETWORKS_FILE = "networks.yaml"
