"""A loop over layers, over directions, over steps; a backward direction reads every row turned round."""

import torch
from cell import lstm_step
from torch import nn


class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers=1, bidirectional=False):
        super().__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.suffixes = ["", "_reverse"] if bidirectional else [""]
        bound = hidden_size**-0.5
        size = input_size
        for layer in range(num_layers):
            for suffix in self.suffixes:
                end = f"_l{layer}{suffix}"
                setattr(self, "weight_ih" + end, nn.Parameter(torch.empty(4 * hidden_size, size)))
                setattr(self, "weight_hh" + end, nn.Parameter(torch.empty(4 * hidden_size, hidden_size)))
                setattr(self, "bias_ih" + end, nn.Parameter(torch.empty(4 * hidden_size)))
                setattr(self, "bias_hh" + end, nn.Parameter(torch.empty(4 * hidden_size)))
            size = hidden_size * len(self.suffixes)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x, state=None, lengths=None):
        B, T, _ = x.shape
        if lengths is None:
            lengths = torch.full((B,), T, device=x.device)
        else:
            # throw away what stands on padding before anything is computed with it: 0 * nan is nan
            is_pad = torch.arange(T, device=x.device)[None, :] >= lengths[:, None]
            x = x.masked_fill(is_pad[:, :, None], 0.0)
        if state is None:
            zeros = x.new_zeros(self.num_layers * len(self.suffixes), B, self.hidden_size)
            state = (zeros, zeros)
        turned = turn_round(lengths.tolist(), T, x.device)
        rows = torch.arange(B, device=x.device)[:, None]

        all_h, all_c = [], []
        for layer in range(self.num_layers):
            outs = []
            for suffix in self.suffixes:
                k = len(all_h)
                inputs = x[rows, turned] if suffix else x
                out, h, c = self.run(f"_l{layer}{suffix}", inputs, state[0][k], state[1][k], lengths)
                outs.append(out[rows, turned] if suffix else out)
                all_h.append(h)
                all_c.append(c)
            x = torch.cat(outs, dim=2)
        return x, (torch.stack(all_h), torch.stack(all_c))

    def run(self, end, x, h, c, lengths):
        w_x = getattr(self, "weight_ih" + end)
        w_h = getattr(self, "weight_hh" + end)
        b = getattr(self, "bias_ih" + end) + getattr(self, "bias_hh" + end)
        out = []
        for t in range(x.shape[1]):
            new_h, new_c = lstm_step(x[:, t], h, c, w_x, w_h, b)
            real = (t < lengths)[:, None]
            h = torch.where(real, new_h, h)
            c = torch.where(real, new_c, c)
            out.append(torch.where(real, new_h, 0.0))
        return torch.stack(out, dim=1), h, c


def turn_round(lengths, T, device):
    """(B, T) positions that read the real steps backwards and leave the padding behind them."""
    index = []
    for n in lengths:
        index.append([n - 1 - t for t in range(n)] + list(range(n, T)))
    return torch.tensor(index, device=device)


def set_forget_bias(lstm, value):
    H = lstm.hidden_size
    for layer in range(lstm.num_layers):
        for suffix in lstm.suffixes:
            getattr(lstm, f"bias_ih_l{layer}{suffix}").data[H : 2 * H] = value
            getattr(lstm, f"bias_hh_l{layer}{suffix}").data[H : 2 * H] = 0.0


def last_valid(out, lengths):
    rows = []
    for b, n in enumerate(lengths.tolist()):
        rows.append(out[b, n - 1])
    return torch.stack(rows)
