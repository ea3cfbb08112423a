"""The families: encoder and decoder (Transformer, T5), decoder only (GPT), encoder only (BERT's masking)."""

import torch
import torch.nn.functional as F
from blocks import Decoder, Encoder, EncoderBlock
from jaxtyping import Float, Int
from layers import LayerNorm
from torch import Tensor, nn


class Transformer(nn.Module):
    """Read a sequence with an encoder, write another with a decoder: embeddings, positions, stacks, output.

    The parameters' names and initial values are free, and so are the kind of positions, as long as both
    sides have some, and pre-norm or post-norm.

    Source: Vaswani et al. 2017; T5: Raffel et al. 2020.
    """

    def __init__(
        self,
        src_vocab: int,
        tgt_vocab: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        n_layers: int,
        max_len: int,
        pad: int = 0,
    ) -> None:
        """`n_layers` blocks on either side; no dropout.

        `src_vocab` and `tgt_vocab` count the ids on either side, `pad` is the id that fills up rows.
        No sequence is longer than `max_len`.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.pad = pad
        self.src_embedding = nn.Embedding(src_vocab, d_model)
        self.tgt_embedding = nn.Embedding(tgt_vocab, d_model)
        self.src_positions = nn.Embedding(max_len, d_model)
        self.tgt_positions = nn.Embedding(max_len, d_model)
        self.encoder = Encoder(n_layers, d_model, n_heads, d_ff)
        self.decoder = Decoder(n_layers, d_model, n_heads, d_ff)
        self.out = nn.Linear(d_model, tgt_vocab)
        ### END SOLUTION

    def forward(
        self, src: Int[Tensor, "batch src_time"], tgt_in: Int[Tensor, "batch tgt_time"]
    ) -> Float[Tensor, "batch tgt_time tgt_vocab"]:
        """Score each next target token, given the source and the target so far (logits: no softmax).

        `logits[:, t]` scores the token that follows `tgt_in[:, t]`, and depends on `tgt_in[:, :t + 1]` only.
        Positions where `src` is `pad` are never attended to, neither by the encoder nor by the decoder: how
        many a row has never changes it.
        """
        ### BEGIN SOLUTION
        src_time, tgt_time = src.shape[1], tgt_in.shape[1]
        src_mask = (src != self.pad)[:, None, None, :]
        causal = torch.ones(tgt_time, tgt_time, dtype=torch.bool, device=tgt_in.device).tril()
        x = self.src_embedding(src) + self.src_positions.weight[:src_time]
        y = self.tgt_embedding(tgt_in) + self.tgt_positions.weight[:tgt_time]
        memory = self.encoder(x, src_mask)
        return self.out(self.decoder(y, memory, causal, src_mask))
        ### END SOLUTION


class KVCache:
    """What a `GPT` remembers of the tokens that it has read, so that it reads each of them only once.

    That is every layer's keys and values; what stands in here, and how, is free. One cache belongs to one
    model and one batch of texts.
    """

    def __init__(self) -> None:
        """Nothing is read yet."""
        ### BEGIN SOLUTION
        self.length = 0
        # Of each layer its keys "k" and values "v", both (batch, n_heads, length, d_head).
        self.layers: dict[int, dict[str, Tensor]] = {}
        ### END SOLUTION


class GPT(nn.Module):
    """Predict the next token from all before it: encoder blocks under a causal mask.

    The output weights are the embedding's, one parameter for both: logits = h Eᵀ. Positions are learned.
    Other parameters' names, initial values, a last norm, pre-norm or post-norm are free.

    Trap: `nn.Embedding` starts with a standard deviation of 1, so that the logits of tied weights start some
    √d_model times too large; 1/√d_model is a sound start.

    Source: Radford et al. 2018, 2019; tied weights: Press and Wolf 2017.
    """

    def __init__(
        self, vocab_size: int, d_model: int, n_heads: int, d_ff: int, n_layers: int, max_len: int
    ) -> None:
        """`n_layers` blocks and `max_len` learned positions; no dropout."""
        super().__init__()
        ### BEGIN SOLUTION
        self.max_len = max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.blocks = nn.ModuleList(EncoderBlock(d_model, n_heads, d_ff) for _ in range(n_layers))
        self.norm = LayerNorm(d_model)
        # Tied to a normed h, the logits then start with a standard deviation of 1.
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)
        nn.init.normal_(self.positions.weight, std=d_model**-0.5)
        ### END SOLUTION

    def forward(
        self, tokens: Int[Tensor, "batch time"], cache: KVCache | None = None
    ) -> Float[Tensor, "batch time vocab_size"]:
        """Score the token that follows each of `tokens` (logits: no softmax).

        `logits[:, t]` depend on `tokens[:, :t + 1]` only. With a `cache`, `tokens` are those that come after
        all that it holds: the logits are theirs alone, equal to those of one pass over the whole text, and
        the cache holds them too afterwards. A call may add one token or many. Only new tokens are computed.
        No gradient through the cache is needed.

        More than `max_len` tokens in all, those in the cache included, are a ValueError that names both
        numbers.

        Traps: a new token's position counts from the first token of the text, not of the call. Of several
        new tokens, each sees all of the cache and, of the new ones, itself and those before it.
        """
        ### BEGIN SOLUTION
        if cache is None:
            cache = KVCache()  # a whole pass is the first one with an empty cache
        start, end = cache.length, cache.length + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens and cache must not exceed max_len={self.max_len}, got {end} in all")
        # Row i is the token at start + i, column j the token at j.
        causal = torch.ones(end - start, end, dtype=torch.bool, device=tokens.device).tril(start)
        x = self.embedding(tokens) + self.positions.weight[start:end]
        for layer, block in enumerate(self.blocks):
            x = block(x, causal, cache.layers.setdefault(layer, {}))
        cache.length = end
        return self.norm(x) @ self.embedding.weight.T
        ### END SOLUTION


def mask_tokens(
    tokens: Int[Tensor, "*shape"],
    mask_id: int,
    vocab_size: int,
    special_ids: list[int],
    p: float,
    generator: torch.Generator,
) -> tuple[Int[Tensor, "*shape"], Int[Tensor, "*shape"]]:
    """Hide tokens for BERT to guess -> (inputs, labels).

    Each token is chosen with probability `p`, unless its id is one of `special_ids`. `labels` hold the chosen
    tokens, and -100 (which `F.cross_entropy` ignores) everywhere else. `inputs` are `tokens`, except that of
    the chosen ones 80 % become `mask_id`, 10 % a random id, uniform over 0 … vocab_size - 1, and 10 % stay.

    Every token is drawn independently: these are probabilities, not exact counts.
    All randomness comes from `generator`: the same state gives the same result, and the global random state
    is left alone. `tokens` is not modified.

    Source: Devlin et al. 2019, section 3.1.
    """
    ### BEGIN SOLUTION
    special = torch.isin(tokens, torch.tensor(special_ids, device=tokens.device))
    chosen = (torch.rand(tokens.shape, generator=generator, device=tokens.device) < p) & ~special
    fate = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    random_ids = torch.randint(vocab_size, tokens.shape, generator=generator, device=tokens.device)
    inputs = tokens.masked_fill(chosen & (fate < 0.8), mask_id)
    inputs = torch.where(chosen & (fate >= 0.9), random_ids, inputs)
    return inputs, tokens.masked_fill(~chosen, -100)
    ### END SOLUTION


def shift_right(tokens: Int[Tensor, "batch time"], bos: int) -> Int[Tensor, "batch time"]:
    """Make the decoder's input from its target: `bos`, then all tokens but the last.

    So the decoder must predict tokens[:, t] where it is fed what stands before: [5, 6, 7] gives [bos, 5, 6].
    """
    ### BEGIN SOLUTION
    return F.pad(tokens[:, :-1], (1, 0), value=bos)
    ### END SOLUTION
