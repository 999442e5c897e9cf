"""LoRA on a language model, in PyTorch + Transformers + PEFT: the peer of `train --lora`.

Adapters of rank 16 lie on all maps but the head, alpha is 32, and the loss is that of the answer and
its end token alone. The model is read from its GGUF file and its weights unpacked to f32. Prompts are
those of Attendant's tasks `describe` and `answer`; prompt and target become ids apart, as there. Rows
are drawn in another order than Attendant's, and the adapters from other random numbers. Bits per byte
are the summed loss of all targets, end tokens included, by the bytes of their text, and are measured
in f32, before and after. Nothing is downloaded.

    bash benches/reference/setup.sh target/reference
    target/reference/bin/python benches/reference/finetune_lora.py --model SMOLLM2.gguf \
      --task describe --data train.jsonl --valid valid.jsonl
"""

import math
import pathlib

import peft
import tokenizers
import torch
import transformers

import recipe

# Fields of a `describe` row that are no attributes of its product.
NOT_ATTRIBUTES = ["description", "id", "split", "origin", "ids", "target_ids"]
IGNORED = -100


def parse_args():
    description = __doc__.split("\n")[0]
    parser = recipe.arguments(description, lr=5e-4, warmup=20, batch_size=8, seq_len=320)
    parser.set_defaults(precision="bf16")
    parser.add_argument("--model", type=pathlib.Path, required=True, metavar="FILE.gguf")
    parser.add_argument("--task", choices=["describe", "answer"], required=True)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--alpha", type=int, default=32)
    rouge_help = "write answers to the first N rows of --valid greedily, and measure ROUGE-L"
    parser.add_argument("--rouge-rows", type=int, default=0, metavar="N", help=rouge_help)
    return parser.parse_args()


def text_of(value):
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def describe(row):
    fields = [(field, text_of(row[field])) for field in row if field not in NOT_ATTRIBUTES]
    prompt = "".join(f"{field}: {value}\n" for field, value in fields) + "description:"
    return prompt, text_of(row["description"])


def answer(row):
    context = "" if row.get("context") is None else f"context: {text_of(row['context'])}\n"
    prompt = f"{context}question: {text_of(row['question'])}\nanswer:"
    return prompt, text_of(row["answer"])


EXAMPLE_OF = {"describe": describe, "answer": answer}


def load_tokenizer(path):
    """The file's tokenizer; it parts digits first, which Transformers does not read from the file."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    parts = [
        tokenizers.pre_tokenizers.Digits(individual_digits=True),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ]
    tokenizer.backend_tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(parts)
    return tokenizer


def build_model(args):
    options = dict(attn_implementation="sdpa", dtype=torch.float32)
    path = args.model
    kind = transformers.AutoModelForCausalLM
    model = kind.from_pretrained(path.parent, gguf_file=path.name, **options)
    model.config.use_cache = False
    config = peft.LoraConfig(
        r=args.rank, lora_alpha=args.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return peft.get_peft_model(model, config)


class Row:
    """A prompt and a target as ids, and the bytes of the target's text."""

    def __init__(self, tokenizer, example):
        def encode(text):
            return tokenizer(text, add_special_tokens=False)["input_ids"]

        self.prompt_text, self.target_text = example
        self.prompt = encode(self.prompt_text)
        self.target = encode(" " + self.target_text) + [tokenizer.eos_token_id]
        self.bytes = len(self.target_text.encode("utf-8"))

    def cut(self, seq_len):
        """Cut to as many tokens that are read, the last target aside; False if no target is left."""
        self.target = self.target[: max(0, seq_len + 1 - len(self.prompt))]
        return bool(self.target)

    def read(self):
        return (self.prompt + self.target)[:-1]

    def labels(self):
        return [IGNORED] * (len(self.prompt) - 1) + self.target


def summed_loss(model, rows):
    """The loss of all targets in nats, and how many they are."""
    ids = recipe.right_padded([row.read() for row in rows], 0)
    labels = recipe.right_padded([row.labels() for row in rows], IGNORED)
    mask = recipe.right_padded([[1] * len(row.read()) for row in rows], 0)
    scores = model(input_ids=ids, attention_mask=mask).logits
    scores, labels = scores.float().flatten(0, 1), labels.flatten()
    loss = torch.nn.functional.cross_entropy(scores, labels, ignore_index=IGNORED, reduction="sum")
    return loss, sum(len(row.target) for row in rows)


def bits_per_byte(model, rows):
    """Rows of similar length side by side."""
    rows = sorted(rows, key=lambda row: len(row.read()))
    with torch.inference_mode():
        nats = [summed_loss(model, rows[i : i + 8])[0].item() for i in range(0, len(rows), 8)]
    return sum(nats) / math.log(2) / sum(row.bytes for row in rows)


def rouge_l(model, tokenizer, rows):
    """The mean ROUGE-L of what the model writes greedily."""
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(["rougeL"])
    scores = []
    for row in rows:
        ids = torch.tensor([row.prompt])
        options = dict(do_sample=False, max_new_tokens=256, use_cache=True)
        options |= dict(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id)
        with torch.inference_mode():
            written = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)
        text = tokenizer.decode(written[0, len(row.prompt) :], skip_special_tokens=True)
        scores.append(scorer.score(row.target_text, text.removeprefix(" "))["rougeL"].fmeasure)
    return sum(scores) / len(scores)


def main():
    args = parse_args()
    recipe.begin(args)
    tokenizer, model = load_tokenizer(args.model), build_model(args)

    def rows_of(path):
        as_written = dict(parse_float=str, parse_int=str)  # 129.90 stays so in a prompt
        rows = recipe.read_rows(path, **as_written)
        return [Row(tokenizer, EXAMPLE_OF[args.task](row)) for row in rows]

    valid = rows_of(args.valid)[: args.valid_rows]
    training = [row for row in rows_of(args.data) if row.cut(args.seq_len)]

    def loss_of(numbers):
        rows = [training[number] for number in numbers]
        loss, targets = summed_loss(model, rows)
        return loss / targets, sum(len(row.read()) for row in rows)

    model.eval()
    scores = {"rows": len(valid), "bits_per_byte_before": bits_per_byte(model, valid)}
    trained = recipe.train(model, len(training), args, loss_of)
    scores["bits_per_byte"] = bits_per_byte(model, valid)
    if args.rouge_rows:
        scores["rouge_l"] = rouge_l(model, tokenizer, valid[: args.rouge_rows])
    modules = recipe.versions(torch, transformers, peft)
    recipe.print_result(args, scores, trained, modules)


if __name__ == "__main__":
    main()
