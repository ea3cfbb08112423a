import torch
import torch.nn.functional as F
from attention import masked_softmax
from masks import padding_mask
from torch import nn


class Seq2Seq(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, embed_size, hidden_size, pad=0):
        super().__init__()
        self.pad = pad
        self.src_emb = nn.Embedding(src_vocab, embed_size)
        self.tgt_emb = nn.Embedding(tgt_vocab, embed_size)
        self.encoder = nn.GRU(embed_size, hidden_size, batch_first=True)
        self.decoder = nn.GRU(embed_size, hidden_size, batch_first=True)
        self.att_q = nn.Linear(hidden_size, hidden_size, bias=False)
        self.att_k = nn.Linear(hidden_size, hidden_size, bias=False)
        self.att_v = nn.Linear(hidden_size, 1, bias=False)
        self.hidden = nn.Linear(2 * hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, tgt_vocab)

    def forward(self, src, src_lengths, tgt_in):
        encoded, _ = self.encoder(self.src_emb(src))
        index = (src_lengths - 1).view(-1, 1, 1).expand(-1, 1, encoded.size(2))
        state = encoded.gather(1, index).transpose(0, 1).contiguous()
        decoded, _ = self.decoder(self.tgt_emb(tgt_in), state)

        q = self.att_q(decoded).unsqueeze(2)
        k = self.att_k(encoded).unsqueeze(1)
        energies = self.att_v(torch.tanh(q + k)).squeeze(3)
        mask = padding_mask(src_lengths, src.size(1)).unsqueeze(1)
        weights = masked_softmax(energies, mask)
        context = torch.bmm(weights, encoded)

        out = torch.tanh(self.hidden(torch.cat((decoded, context), dim=2)))
        return self.out(out), weights


def greedy_decode(model, src, src_lengths, bos, eos, max_len):
    prefix = torch.full((src.size(0), 1), bos, dtype=torch.int64, device=src.device)
    with torch.no_grad():
        for _ in range(max_len):
            logits, _ = model(src, src_lengths, prefix)
            best = logits[:, -1].argmax(dim=1, keepdim=True)
            prefix = torch.cat((prefix, best), dim=1)
    answer = []
    for row in prefix[:, 1:].tolist():
        if eos in row:
            row = row[: row.index(eos)]
        answer.append(row)
    return answer


def train_seq2seq(model, batches, lr, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    model.train()
    losses = []
    for step in range(steps):
        src, src_lengths, tgt = batches[step % len(batches)]
        tgt_in, tgt_out = tgt[:, :-1], tgt[:, 1:]
        logits, _ = model(src, src_lengths, tgt_in)
        loss = F.cross_entropy(logits.transpose(1, 2), tgt_out, ignore_index=model.pad)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses
