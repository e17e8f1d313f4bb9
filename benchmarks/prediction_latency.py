"""How long a prediction's worker takes over a request, with the model kept between requests and without.

MiniLM, fine-tuned for one short epoch, on sentences of medical_abstracts: the model's part of a request, from
texts to probabilities, without the database, the broker and HTTP. Requests with and without take turns.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from _real_texts import ROOT
from scoring_speed import real_sentences, small_model

sys.path.insert(0, str(ROOT))

from training.encoder import predict_proba
from training.encoder.kept_model import let_go


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    sentences = real_sentences(256)
    with tempfile.TemporaryDirectory() as folder:
        model_dir = small_model(sentences, Path(folder) / "model")
        predict_proba(model_dir, sentences[:8])
        seconds = {n: measure(model_dir, sentences[:n], arguments.rounds) for n in (1, 32, 256)}
    print(
        json.dumps(
            {
                "benchmark": "prediction_latency",
                "median_seconds_by_n_texts": seconds,
                "load_average": os.getloadavg()[0],
            },
            indent=1,
        )
    )


def measure(model_dir: Path, texts: list[str], n_rounds: int) -> dict[str, float]:
    seconds = {"kept": [], "loaded": []}
    for _ in range(n_rounds):
        for way in seconds:
            if way == "loaded":
                let_go()
            began = time.perf_counter()
            predict_proba(model_dir, texts)
            seconds[way].append(time.perf_counter() - began)
    return {way: round(statistics.median(values), 3) for way, values in seconds.items()}


if __name__ == "__main__":
    main()
