"""What the recipes of fine-tuning have in common: options, the order of rows, and the loop of steps.

A step is forward, loss, backward, clipping by the global norm, fused AdamW, and gradients set to None.
Matrices decay, all else does not. The learning rate rises over the warm-up and then goes on as
Transformers' schedules do, which are Attendant's too. Dropout is 0. bf16 is autocast over f32 weights.
"""

import argparse
import json
import math
import pathlib
import time

import torch
import transformers

import turns


def arguments(description, lr, warmup, batch_size, seq_len):
    """Options that each recipe has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, metavar="N", help="default: all cores")
    parser.add_argument("--data", type=pathlib.Path, required=True, metavar="FILE")
    parser.add_argument("--valid", type=pathlib.Path, required=True, metavar="FILE")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", type=int, metavar="N", help="stop after N steps: a short timing")
    parser.add_argument("--batch-size", type=int, default=batch_size)
    parser.add_argument("--lr", type=float, default=lr)
    parser.add_argument("--warmup", type=int, default=warmup, metavar="STEPS")
    parser.add_argument("--schedule", choices=["constant", "linear", "cosine"], default="linear")
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--seq-len", type=int, default=seq_len, help="longer rows are cut")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--valid-rows", type=int, metavar="N", help="measure the first N rows alone")
    return parser


def begin(args):
    """Makes this process one that a recipe runs in."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)


def read_rows(path, **options):
    """The rows of JSON Lines."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line, **options) for line in lines if line.strip()]


def right_padded(rows, padding):
    """`[rows, longest]`"""
    longest = max(map(len, rows))
    return torch.tensor([row + [padding] * (longest - len(row)) for row in rows])


def autocast(args):
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16")


def train(model, row_count, args, loss_of):
    """Takes all steps. `loss_of` rows, given by their numbers, is their loss, and the tokens read.

    Gives steps, seconds, tokens a second, and the loss of the last step.
    """
    per_epoch = math.ceil(row_count / args.batch_size)
    all_steps = args.epochs * per_epoch
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = adamw(trained, args)
    name = "constant_with_warmup" if args.schedule == "constant" else args.schedule
    schedule = transformers.get_scheduler(name, optimizer, args.warmup, all_steps)
    order = torch.Generator().manual_seed(args.seed)
    model.train()
    tokens, steps, start = 0, min(args.steps or all_steps, all_steps), time.perf_counter()
    for step in range(steps):
        first = step % per_epoch * args.batch_size
        if first == 0:
            rows = torch.randperm(row_count, generator=order).tolist()
        with autocast(args):
            loss, read = loss_of(rows[first : first + args.batch_size])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, args.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        tokens += read
    seconds = time.perf_counter() - start
    model.eval()
    return {
        "steps": steps,
        "train_loss": loss.item(),
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
    }


def adamw(trained, args):
    groups = [
        dict(params=[p for p in trained if p.dim() >= 2], weight_decay=args.weight_decay),
        dict(params=[p for p in trained if p.dim() < 2], weight_decay=0.0),
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=args.lr, fused=True)


def versions(*modules):
    return {module.__name__: module.__version__ for module in modules}


def print_result(args, *parts):
    """Prints one JSON object."""
    result = {"threads": torch.get_num_threads(), "precision": args.precision, "seed": args.seed}
    for part in parts:
        result |= part
    print(json.dumps(result | {"peak_rss_bytes": turns.peak_rss_bytes()}))
