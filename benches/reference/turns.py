"""One piece of work at a time, when another program says so: see ../src/turns.rs."""

import argparse
import json
import resource
import statistics
import sys
import time


def arguments(description):
    """Options that every program here has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, metavar="N", help="default: all cores")
    turns_help = "do a piece of work for each line of the input"
    parser.add_argument("--turns", action="store_true", help=turns_help)
    parser.add_argument("--runs", type=int, default=5, help="without --turns: how often")
    return parser


def ids(count, vocab_size):
    """Token ids that a line of any language makes."""
    return [(i * 7919 + 12345) * 104729 % 2147483647 % vocab_size for i in range(count)]


def peak_rss_bytes():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux: KiB


def timed(work):
    """`work` as a function that returns a turn; what `work` returns is its loss, or None."""

    def turn():
        start = time.perf_counter()
        loss = work()
        turn = {"ms": 1e3 * (time.perf_counter() - start)}
        return turn if loss is None else turn | {"loss": loss}

    return turn


def say(line):
    print(json.dumps(line), flush=True)


def serve(turn, args):
    """Warms up by one turn, then takes one for each line of stdin, or --runs of them."""
    turn()
    if args.turns:
        say({"ready": True})
        for _ in sys.stdin:
            say(turn())
        say({"peak_rss_bytes": peak_rss_bytes()})
    else:
        turns = [turn() for _ in range(args.runs)]
        median = statistics.median(turn["ms"] for turn in turns)
        say(turns[-1] | {"ms": median, "peak_rss_bytes": peak_rss_bytes()})
