"""One training step in PyTorch + Transformers: the peer of our `train_step`.

A step is forward, loss, backward, clipping to global norm 1, fused AdamW on all that is trained (weight
decay 0.01 on matrices), and gradients set to None. Token ids are ours, the same each step; so are the
weights where --model names a folder. Dropout is 0. PyTorch runs at its best in eager mode: SDPA
attention, fused AdamW, all threads; bf16 is autocast over f32 parameters. Nothing is downloaded.

    bash benches/reference/setup.sh target/reference
    target/reference/bin/python benches/reference/train_step.py --preset gpt2 --json
"""

import ctypes
import json
import pathlib
import statistics

import torch
import transformers

import turns

PRESETS = {
    "gpt2": dict(n_layer=12, n_embd=768, n_head=12, n_positions=1024, vocab_size=50257),
    "mini": dict(n_layer=6, n_embd=384, n_head=6, n_positions=256, vocab_size=8192),
}


def parse_args():
    parser = turns.arguments(__doc__.split("\n")[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--preset", choices=PRESETS, default="gpt2", help="random weights")
    source.add_argument("--model", type=pathlib.Path, metavar="DIR", help="a model's folder")
    parser.add_argument("--batch", type=int, default=4, metavar="B", help="rows")
    parser.add_argument("--seq", type=int, default=256, metavar="T", help="tokens of a row")
    steps_help = "steps; the first warms up and is not timed, unless it is the only one"
    parser.add_argument("--steps", type=int, default=5, metavar="N", help=steps_help)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    lora_help = "train adapters of this rank alone, on q_proj and v_proj"
    parser.add_argument("--lora", type=int, metavar="R", help=lora_help)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    keep_help = "let the allocator give nothing back to the system"
    parser.add_argument("--keep-freed-memory", action="store_true", help=keep_help)
    args = parser.parse_args()
    if min(args.batch, args.steps, args.threads or 1, args.lora or 1) < 1:
        parser.error("--batch, --steps, --threads and --lora must be at least 1")
    if args.seq < 2:
        parser.error("--seq must be at least 2")
    return args


def build_model(args):
    options = dict(attn_implementation="sdpa", dtype=torch.float32)
    if args.model is None:
        dropout = dict(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
        special = dict(bos_token_id=None, eos_token_id=None)
        config = transformers.GPT2Config(**PRESETS[args.preset], **dropout, **special)
        config.use_cache = False
        return transformers.AutoModelForCausalLM.from_config(config, **options).train()
    config = transformers.AutoConfig.from_pretrained(args.model)
    for name in vars(config):
        if name.endswith(("_pdrop", "_dropout", "_dropout_prob")):
            setattr(config, name, 0.0)
    config.use_cache = False
    is_classifier = any("SequenceClassification" in name for name in config.architectures)
    kind = (
        transformers.AutoModelForSequenceClassification
        if is_classifier
        else transformers.AutoModelForCausalLM
    )
    model = kind.from_pretrained(args.model, config=config, **options).train()
    return model if args.lora is None else with_adapters(model, args.lora)


def with_adapters(model, rank):
    import peft

    config = peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=["q_proj", "v_proj"])
    return peft.get_peft_model(model, config)


def make_batch(model, args):
    """A decoder's inputs and targets overlap by all but one token; an encoder's rows have classes."""
    vocab_size = model.config.vocab_size
    if model.config.architectures and "Classification" in model.config.architectures[0]:
        ids = torch.tensor(turns.ids(args.batch * args.seq, vocab_size)).view(args.batch, args.seq)
        return dict(input_ids=ids, labels=torch.arange(args.batch) % model.config.num_labels)
    shape = (args.batch, args.seq + 1)
    ids = torch.tensor(turns.ids(shape[0] * shape[1], vocab_size)).view(shape)
    targets = ids[:, 1:].contiguous()
    return dict(input_ids=ids[:, :-1].contiguous(), labels=targets, shift_labels=targets)


def make_optimizer(model):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        dict(params=[p for p in trained if p.dim() >= 2], weight_decay=0.01),
        dict(params=[p for p in trained if p.dim() < 2], weight_decay=0.0),
    ]
    groups = [group for group in groups if group["params"]]
    return trained, torch.optim.AdamW(groups, lr=1e-4, fused=True)


def make_step(model, args):
    """A function that takes a step and returns the loss before the update."""
    batch = make_batch(model, args)
    trained, optimizer = make_optimizer(model)

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return turns.timed(step)


def keep_freed_memory():
    """glibc's allocator asks the system for nothing apart, and gives nothing back."""
    m_trim_threshold, m_mmap_max = -1, -4
    libc = ctypes.CDLL(None)
    assert libc.mallopt(m_mmap_max, 0) and libc.mallopt(m_trim_threshold, -1)


def main():
    args = parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.keep_freed_memory:
        keep_freed_memory()
    step = make_step(build_model(args), args)
    if args.turns:
        turns.serve(step, args)
        return
    done = [step() for _ in range(args.steps)]
    median = statistics.median(turn["ms"] for turn in done[1:] or done)
    result = {
        "batch": args.batch,
        "seq": args.seq,
        "steps": args.steps,
        "precision": args.precision,
        "threads": torch.get_num_threads(),
        "ms_per_step": median,
        "tokens_per_second": args.batch * args.seq / median * 1e3,
        "peak_rss_bytes": turns.peak_rss_bytes(),
        "loss": done[-1]["loss"],
        "torch": torch.__version__,
    }
    if args.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{name}: {value}" for name, value in result.items()))


if __name__ == "__main__":
    main()
