"""Fine-tune an encoder on labelled texts and score texts with it: the only place that imports torch.

No Django here. Import this package inside a worker, never in a web process. A Celery prefork child will do:
it imports torch after the fork, and torch's number of threads is left as it is.
"""

import os

# Read by OpenMP when torch is loaded. Its threads sleep while they wait for each other: on two cores that
# others use as well, spinning instead makes a training step four times as slow, and everything else slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from training.encoder.base_model import checked_folder, unknown_token_share
from training.encoder.embedding import embed
from training.encoder.explaining import explain
from training.encoder.fine_tuning import FineTuned, fine_tune
from training.encoder.pretraining import Pretrained, pretrain
from training.encoder.progress import Progress
from training.encoder.relating import fine_tune_relations, read_relations
from training.encoder.scoring import predict_proba
from training.encoder.several import shared
from training.encoder.spotting import predict_spans
from training.errors import TrainingRefused

__all__ = [
    "FineTuned",
    "Pretrained",
    "Progress",
    "TrainingRefused",
    "checked_folder",
    "embed",
    "explain",
    "fine_tune",
    "fine_tune_relations",
    "predict_proba",
    "predict_spans",
    "pretrain",
    "read_relations",
    "shared",
    "unknown_token_share",
]
