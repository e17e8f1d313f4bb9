"""BERT's last layer where only its first token is read."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.bert.modeling_bert import BertLayer


def read_first_token_only(model: PreTrainedModel) -> None:
    """Let a classifier's last layer compute only what its head reads; parameters and outputs stay.

    Known of BERT's classifiers, whose pooler reads [CLS]; another model is left as it is.
    """
    if model.config.model_type == "bert" and model.bert.pooler is not None:
        # Another class rather than a layer around it: a parameter's name is in checkpoints and model files.
        model.bert.encoder.layer[-1].__class__ = FirstTokenLayer


class FirstTokenLayer(BertLayer):
    """[B, L, H] -> [B, 1, H].

    The layer needs the keys and values of all tokens, and the query, the projection and the feed-forward
    network of one: a seventh of MiniLM's work saved, in training as in scoring, and exact.
    """

    def forward(
        self, hidden: Tensor, attention_mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Tensor:
        attention, first = self.attention.self, hidden[:, :1]
        context = F.scaled_dot_product_attention(
            self._heads(attention.query(first)),  # [B, heads, 1, H / heads]
            self._heads(attention.key(hidden)),
            self._heads(attention.value(hidden)),
            attn_mask=None if attention_mask is None else attention_mask[:, :, :1],
            dropout_p=attention.dropout.p if self.training else 0.0,
        )
        attended = self.attention.output(context.transpose(1, 2).flatten(2), first)  # [B, 1, H]
        return self.output(self.intermediate(attended), attended)

    def _heads(self, vectors: Tensor) -> Tensor:
        return vectors.unflatten(-1, (self.attention.self.num_attention_heads, -1)).transpose(1, 2)
