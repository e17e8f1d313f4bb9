import torch
from transformers import AutoModelForSequenceClassification

from training.encoder.base_model import fresh_classifier


def test_a_last_layer_for_one_token_has_the_outputs_gradients_and_names_of_the_whole(tiny_base):
    short = fresh_classifier(tiny_base, "single", ["no", "yes"]).eval()
    whole = AutoModelForSequenceClassification.from_pretrained(tiny_base).eval()
    whole.load_state_dict(short.state_dict())
    inputs = {
        "input_ids": torch.tensor([[2, 7, 8, 9, 3], [2, 8, 3, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
    }
    outputs = {name: model(**inputs).logits for name, model in (("short", short), ("whole", whole))}
    torch.testing.assert_close(outputs["short"], outputs["whole"])
    for logits in outputs.values():
        logits.logsumexp(dim=1).sum().backward()
    for (name, weight), (same_name, same) in zip(
        short.named_parameters(), whole.named_parameters(), strict=True
    ):
        assert name == same_name
        torch.testing.assert_close(weight.grad, same.grad, msg=name)
