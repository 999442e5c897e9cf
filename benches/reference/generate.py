"""Greedy decoding in PyTorch + Transformers' models: the peer of our `decode`.

A prompt is read at once, then one token after the other is chosen greedily, the keys and values of
earlier ones cached. The loop calls the model itself, in inference mode, which is faster than
`generate()`; only the last position is scored. bf16 keeps the weights in bf16.
"""

import pathlib
import time

import torch
import transformers

import turns


def parse_args():
    parser = turns.arguments(__doc__.split("\n")[0])
    parser.add_argument("--model", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--prompt-tokens", type=int, default=32, metavar="P")
    parser.add_argument("--new-tokens", type=int, default=64, metavar="N")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    return parser.parse_args()


def write(model, prompt, new_tokens):
    """The seconds from the start to each new token."""
    start, moments = time.perf_counter(), []
    cache, ids = transformers.DynamicCache(config=model.config), prompt
    for _ in range(new_tokens):
        output = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        ids = output.logits[:, -1].argmax(-1, keepdim=True)
        ids[0, 0].item()
        moments.append(time.perf_counter() - start)
    return moments


def main():
    args = parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if args.threads:
        torch.set_num_threads(args.threads)
    dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(
        args.model, dtype=dtype, attn_implementation="sdpa"
    ).eval()
    prompt = torch.tensor([turns.ids(args.prompt_tokens, model.config.vocab_size)])

    def turn():
        with torch.inference_mode():
            moments = write(model, prompt, args.new_tokens)
        seconds = moments[0] if args.new_tokens == 1 else moments[-1] - moments[0]
        return {"ms": 1e3 * seconds}

    turns.serve(turn, args)


if __name__ == "__main__":
    main()
