"""One operation in PyTorch: the peer of our `operation`.

`matmul M K N`: the mean time of one of several products, `torch.mm` into a fresh tensor.
`attention --seq T`: causal scaled_dot_product_attention, forward and backward.
bf16 is tensors in bf16 throughout, which is the least work: ours rounds f32 tensors as it multiplies.
"""

import torch

import turns

RUNS = 20


def parse_args():
    parser = turns.arguments(__doc__.split("\n")[0])
    parser.add_argument("operation", choices=["matmul", "attention"])
    parser.add_argument("sizes", type=int, nargs="*", metavar="M K N")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--seq", type=int, default=256)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    args = parser.parse_args()
    if len(args.sizes) != (3 if args.operation == "matmul" else 0):
        parser.error("matmul takes M K N, attention takes --batch, --heads, --seq, --head-dim")
    return args


def matmul(args, dtype):
    m, k, n = args.sizes
    a, b = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)

    def work():
        with torch.inference_mode():
            for _ in range(RUNS):
                torch.mm(a, b)

    turn = turns.timed(work)
    return lambda: {"ms": turn()["ms"] / RUNS}


def attention(args, dtype):
    shape = (args.batch, args.seq, args.heads, args.head_dim)
    # As one matrix gives them: [batch, seq, heads, head_dim], seen by head.
    q, k, v, dy = (torch.randn(shape).to(dtype).transpose(1, 2) for _ in range(4))
    inputs = [x.requires_grad_() for x in (q, k, v)]

    def work():
        y = torch.nn.functional.scaled_dot_product_attention(*inputs, is_causal=True)
        torch.autograd.grad(y, inputs, dy)

    return turns.timed(work)


def main():
    args = parse_args()
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
    turns.serve({"matmul": matmul, "attention": attention}[args.operation](args, dtype), args)


if __name__ == "__main__":
    main()
