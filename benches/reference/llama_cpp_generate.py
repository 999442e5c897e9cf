"""Greedy decoding in llama.cpp: the peer of our `decode` on GGUF files.

The prompt is evaluated in one batch, then one token after the other is chosen greedily; only the last
position is scored. The file stays mapped, the cache is in llama.cpp's default precision (f16).
"""

import os
import pathlib
import time

import llama_cpp
import numpy

import turns


def parse_args():
    parser = turns.arguments(__doc__.split("\n")[0])
    parser.add_argument("--model", type=pathlib.Path, required=True, metavar="FILE.gguf")
    parser.add_argument("--prompt-tokens", type=int, default=32, metavar="P")
    parser.add_argument("--new-tokens", type=int, default=64, metavar="N")
    return parser.parse_args()


def greedy(model):
    """The token of the highest score at the last position."""
    scores = llama_cpp.llama_get_logits_ith(model.ctx, -1)
    return int(numpy.ctypeslib.as_array(scores, shape=(model.n_vocab(),)).argmax())


def main():
    args = parse_args()
    threads = args.threads or os.cpu_count()
    model = llama_cpp.Llama(
        model_path=str(args.model),
        n_ctx=args.prompt_tokens + args.new_tokens,
        n_batch=max(args.prompt_tokens, 32),
        n_ubatch=max(args.prompt_tokens, 32),
        n_threads=threads,
        n_threads_batch=threads,
        n_gpu_layers=0,
        logits_all=False,
        verbose=False,
    )
    prompt = turns.ids(args.prompt_tokens, model.n_vocab())

    def turn():
        model.reset()
        start, moments, ids = time.perf_counter(), [], prompt
        for _ in range(args.new_tokens):
            model.eval(ids)
            ids = [greedy(model)]
            moments.append(time.perf_counter() - start)
        seconds = moments[0] if args.new_tokens == 1 else moments[-1] - moments[0]
        return {"ms": 1e3 * seconds}

    turns.serve(turn, args)


if __name__ == "__main__":
    main()
