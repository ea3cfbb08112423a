import torch
import torch.nn.functional as F
from gates import Gates


class MemoryCell:
    def __init__(self, content):
        self.content = content

    def write(self, x, gate):
        self.content = self.content + gate * x
        return self

    def keep(self, gate):
        self.content = self.content * gate
        return self

    def read(self, gate):
        return self.content * gate


def memory_cell(x, c, write, keep, read):
    cell = MemoryCell(c).keep(keep).write(x, write)
    return cell.read(read), cell.content


def gates_of(x, h, w_x, w_h, b):
    return Gates(F.linear(torch.cat([x, h], dim=-1), torch.cat([w_x, w_h], dim=-1), b))


def lstm_step(x, h, c, w_x, w_h, b):
    return gates_of(x, h, w_x, w_h, b).turn(c)


def lstm_step_backward(grad_h, grad_c, x, h, c, w_x, w_h, b):
    gates = gates_of(x, h, w_x, w_h, b)
    squashed = gates.turn(c)[1].tanh()
    grad_memory = grad_c + grad_h * gates.read * (1 - squashed.square())
    grad_a = gates.gradient(
        grad_write=grad_memory * gates.new,
        grad_keep=grad_memory * c,
        grad_new=grad_memory * gates.write,
        grad_read=grad_h * squashed,
    )
    return (
        torch.einsum("bg,gd->bd", grad_a, w_x),
        torch.einsum("bg,gh->bh", grad_a, w_h),
        grad_memory * gates.keep,
        torch.einsum("bg,bd->gd", grad_a, x),
        torch.einsum("bg,bh->gh", grad_a, h),
        torch.einsum("bg->g", grad_a),
    )
