"""Measures one training step of GPT-2 in PyTorch + Transformers: the peer of our `train_step`.

A step is forward with labels, backward, clipping to global norm 1, fused AdamW on all parameters,
and gradients set to None. Weights (GPT-2's initialization) and ids are random, the ids the same
each step; dropout is 0. PyTorch runs at its best in eager mode: SDPA attention, fused AdamW,
all threads; bf16 is autocast over f32 parameters. Nothing is downloaded.

Set up (outside the clone), from the root of the repository:

    python3 -m venv /tmp/reference
    /tmp/reference/bin/pip install -r benches/reference/requirements.txt
    /tmp/reference/bin/python benches/reference/train_step.py --preset gpt2 --json
"""

import argparse
import json
import resource
import statistics
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

PRESETS = {
    "gpt2": dict(n_layer=12, n_embd=768, n_head=12, n_positions=1024, vocab_size=50257),
    "mini": dict(n_layer=6, n_embd=384, n_head=6, n_positions=256, vocab_size=8192),
}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="gpt2")
    parser.add_argument("--batch", type=int, default=4, metavar="B", help="rows")
    parser.add_argument("--seq", type=int, default=256, metavar="T", help="tokens of a row")
    steps_help = "steps; the first warms up and is not timed, unless it is the only one"
    parser.add_argument("--steps", type=int, default=5, metavar="N", help=steps_help)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, metavar="N", help="default: PyTorch's own choice")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    if min(args.batch, args.steps, args.threads or 1) < 1:
        parser.error("--batch, --steps and --threads must be at least 1")
    context = PRESETS[args.preset]["n_positions"]
    if not 2 <= args.seq <= context:
        parser.error(f"--seq must be from 2 to {context}, the context of {args.preset}")
    return args


def build_model(preset):
    dropout = dict(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    special = dict(bos_token_id=None, eos_token_id=None)
    config = GPT2Config(
        **PRESETS[preset], **dropout, **special, use_cache=False, attn_implementation="sdpa"
    )
    return GPT2LMHeadModel(config).train()


def train_step(model, optimizer, ids, precision):
    """Returns the loss before the update."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        loss = model(input_ids=ids, labels=ids).loss  # Transformers shifts the labels
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


def main():
    args = parse_args()
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    model = build_model(args.preset)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    ids = torch.randint(model.config.vocab_size, (args.batch, args.seq))

    seconds = []
    for _ in range(args.steps):
        start = time.perf_counter()
        loss = train_step(model, optimizer, ids, args.precision)
        seconds.append(time.perf_counter() - start)
    if args.steps > 1:
        seconds = seconds[1:]

    median = statistics.median(seconds)
    result = {
        "preset": args.preset,
        "batch": args.batch,
        "seq": args.seq,
        "steps": args.steps,
        "precision": args.precision,
        "threads": torch.get_num_threads(),
        "ms_per_step": 1e3 * median,
        "tokens_per_second": args.batch * args.seq / median,
        "peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,  # Linux: KiB
        "loss": loss,
        "torch": torch.__version__,
    }
    if args.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{name}: {value}" for name, value in result.items()))


if __name__ == "__main__":
    main()
