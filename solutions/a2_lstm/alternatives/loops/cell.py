"""One step of memory; the backward pass goes through the batch row by row."""

import torch


def memory_cell(x, c, write, keep, read):
    new_c = keep * c + write * x
    return read * new_c, new_c


def lstm_step(x, h, c, w_x, w_h, b):
    a = x @ w_x.T + h @ w_h.T + b
    i, f, g, o = a.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    return h, c


def lstm_step_backward(grad_h, grad_c, x, h, c, w_x, w_h, b):
    grad_x = []
    grad_h_prev = []
    grad_c_prev = []
    grad_w_x = torch.zeros_like(w_x)
    grad_w_h = torch.zeros_like(w_h)
    grad_b = torch.zeros_like(b)

    for n in range(x.shape[0]):
        # forward once more, for this row
        a = w_x @ x[n] + w_h @ h[n] + b
        a_i, a_f, a_g, a_o = a.chunk(4)
        i, f, g, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.tanh(a_g), torch.sigmoid(a_o)
        tanh_c = torch.tanh(f * c[n] + i * g)

        # and back
        d_o = grad_h[n] * tanh_c
        d_c = grad_c[n] + grad_h[n] * o * (1 - tanh_c**2)
        d_i = d_c * g
        d_f = d_c * c[n]
        d_g = d_c * i
        d_a = torch.cat([d_i * i * (1 - i), d_f * f * (1 - f), d_g * (1 - g**2), d_o * o * (1 - o)])

        grad_x.append(w_x.T @ d_a)
        grad_h_prev.append(w_h.T @ d_a)
        grad_c_prev.append(d_c * f)
        grad_w_x += torch.outer(d_a, x[n])
        grad_w_h += torch.outer(d_a, h[n])
        grad_b += d_a

    return torch.stack(grad_x), torch.stack(grad_h_prev), torch.stack(grad_c_prev), grad_w_x, grad_w_h, grad_b
