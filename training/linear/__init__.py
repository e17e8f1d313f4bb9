"""Fast challengers that an encoder has to beat: linear models on counted words, frozen embeddings, both.

The only place that imports scikit-learn. No Django and no torch here: the vectors are given.
"""

from training.linear.explaining import explain_tfidf
from training.linear.learning import Fitted, fit_combined, fit_embedding, fit_tfidf, vector_features
from training.linear.regression import Linear, fit
from training.linear.scoring import (
    StoredModel,
    predict_combined,
    predict_embedding,
    predict_tfidf,
    read_model,
)

__all__ = [
    "Fitted",
    "Linear",
    "StoredModel",
    "explain_tfidf",
    "fit",
    "fit_combined",
    "fit_embedding",
    "fit_tfidf",
    "predict_combined",
    "predict_embedding",
    "predict_tfidf",
    "read_model",
    "vector_features",
]
