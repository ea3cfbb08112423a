"""Back-propagation through time, written as the chain rule is read: backwards, step by step."""

import math

import torch


def zero_gradients(x, h0, w_x, w_h):
    return [
        torch.zeros_like(x),
        torch.zeros_like(h0),
        torch.zeros_like(w_x),
        torch.zeros_like(w_h),
        w_h.new_zeros(len(w_h)),
    ]


def back_one_step(grad_h, t, x, hs, h0, w_x, w_h, grads):
    """The gradient at h_t goes through step t: adds to `grads`, returns the gradient at the state before."""
    grad_x, _, grad_w_x, grad_w_h, grad_b = grads
    before = []
    for i in range(x.shape[0]):
        h = hs[i, t]
        h_prev = h0[i] if t == 0 else hs[i, t - 1]
        grad_sum = grad_h[i] * (1 - h * h)  # at the tanh's argument
        grad_x[i, t] += grad_sum @ w_x
        grad_w_x += torch.outer(grad_sum, x[i, t])
        grad_w_h += torch.outer(grad_sum, h_prev)
        grad_b += grad_sum
        before.append(grad_sum @ w_h)
    return torch.stack(before)


def rnn_backward(grad_hs, x, hs, h0, w_x, w_h):
    grads = zero_gradients(x, h0, w_x, w_h)
    flowing = torch.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        flowing = back_one_step(grad_hs[:, t] + flowing, t, x, hs, h0, w_x, w_h, grads)
    grads[1] = flowing
    return tuple(grads)


def truncated_bptt(grad_hs, x, hs, h0, w_x, w_h, k):
    if k < 1:
        raise ValueError(f"k must be at least 1, got k={k}")
    grads = zero_gradients(x, h0, w_x, w_h)
    for start in range(x.shape[1]):
        # what enters at this step, followed alone for k steps
        flowing = grad_hs[:, start]
        t = start
        for _ in range(k):
            flowing = back_one_step(flowing, t, x, hs, h0, w_x, w_h, grads)
            t -= 1
            if t < 0:
                grads[1] += flowing
                break
    return tuple(grads)


def state_gradient_norms(grad_last, hs, w_h):
    norms = []
    grad = grad_last
    for t in range(hs.shape[1] - 1, -1, -1):
        total = 0.0
        for row in grad:
            total += sum(value.item() ** 2 for value in row)
        norms.append(math.sqrt(total))
        grad = torch.stack([(grad[i] * (1 - hs[i, t] ** 2)) @ w_h for i in range(hs.shape[0])])
    norms.reverse()
    return torch.tensor(norms, dtype=hs.dtype, device=hs.device)


def clip_by_global_norm(grads, max_norm):
    total = 0
    for i, grad in enumerate(grads):
        if not torch.isfinite(grad).all():
            raise ValueError(f"grads[{i}] is not finite: {grad}")
        total = total + (grad**2).sum()
    norm = torch.sqrt(total)
    if not torch.isfinite(norm):
        raise ValueError(f"the norm of grads is not finite: {norm}")
    if norm <= max_norm:
        return grads, norm
    clipped = []
    for grad in grads:
        clipped.append(grad * (max_norm / norm))
    return clipped, norm
