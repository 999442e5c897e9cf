"""An encoder fine-tuned to tell classes, in PyTorch + Transformers: the peer of `train --task classify`.

The head is Attendant's: tanh of a map of the first token's state, which a BERT brings along as its
pooler, and a map to the classes, drawn anew with deviation 0.02, biases 0. Rows are drawn in another
order than Attendant's and the head from other random numbers, so that scores are compared as those of
two seeds are. Each batch is padded to its own longest row. Nothing is downloaded.

    bash benches/reference/setup.sh target/reference
    target/reference/bin/python benches/reference/finetune_classifier.py --model MINILM \
      --data train.jsonl --valid valid.jsonl --epochs 2 --batch-size 32 --lr 1e-4 --warmup 100 \
      --seq-len 128 --weight-decay 0.01 --predictions pytorch.jsonl
"""

import json
import pathlib

import torch
import transformers

import recipe


def parse_args():
    description = __doc__.split("\n")[0]
    parser = recipe.arguments(description, lr=5e-5, warmup=0, batch_size=32, seq_len=256)
    parser.add_argument("--model", type=pathlib.Path, required=True, metavar="DIR")
    predictions_help = "where to write each row of --valid with its `prediction`"
    parser.add_argument("--predictions", type=pathlib.Path, metavar="FILE", help=predictions_help)
    return parser.parse_args()


def labels_of(rows):
    """Each label once: numbers by their size, else by their letters."""
    labels = {str(row["label"]) for row in rows}
    try:
        return sorted(labels, key=int)
    except ValueError:
        return sorted(labels)


def build_model(args, labels):
    config = transformers.AutoConfig.from_pretrained(args.model)
    config.num_labels = len(labels)
    for name in vars(config):
        if name.endswith(("_dropout", "_dropout_prob")):
            setattr(config, name, 0.0)
    options = dict(attn_implementation="sdpa", dtype=torch.float32)
    kind = transformers.AutoModelForSequenceClassification
    model = kind.from_pretrained(args.model, config=config, **options)
    with torch.no_grad():
        model.classifier.weight.normal_(std=0.02)
        model.classifier.bias.zero_()
    return model


def tokenized(rows, args):
    """The ids of each text between its special tokens; of a long one the end is cut off."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    texts = [row["text"] for row in rows]
    return tokenizer(texts, truncation=True, max_length=args.seq_len)["input_ids"]


def logits(model, rows):
    """`[rows, labels]`"""
    ids = recipe.right_padded(rows, model.config.pad_token_id or 0)
    lengths = torch.tensor([[len(row)] for row in rows])
    mask = (torch.arange(ids.shape[1]) < lengths).long()
    return model(input_ids=ids, attention_mask=mask).logits.float()


def predict(model, rows):
    """The likeliest class of each, rows of similar length side by side."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    told = [0] * len(rows)
    with torch.inference_mode():
        for first in range(0, len(order), 32):
            some = order[first : first + 32]
            classes = logits(model, [rows[index] for index in some]).argmax(-1)
            for index, label in zip(some, classes.tolist()):
                told[index] = label
    return told


def macro_f1(wanted, told):
    """The mean over the classes that are wanted or told of each one's F-measure."""
    scores = []
    for label in set(wanted) | set(told):
        both = sum(w == t == label for w, t in zip(wanted, told))
        scores.append(2 * both / (wanted.count(label) + told.count(label)))
    return sum(scores) / len(scores)


def main():
    args = parse_args()
    recipe.begin(args)
    training, valid = recipe.read_rows(args.data), recipe.read_rows(args.valid)[: args.valid_rows]
    labels = labels_of(training)
    model = build_model(args, labels)
    ids, classes = tokenized(training, args), [labels.index(str(row["label"])) for row in training]

    def loss_of(rows):
        scores = logits(model, [ids[row] for row in rows])
        targets = torch.tensor([classes[row] for row in rows])
        loss = torch.nn.functional.cross_entropy(scores, targets)
        return loss, sum(len(ids[row]) for row in rows)

    trained = recipe.train(model, len(training), args, loss_of)
    told = [labels[label] for label in predict(model, tokenized(valid, args))]
    wanted = [str(row["label"]) for row in valid]
    if args.predictions:
        rows = [row | {"prediction": label} for row, label in zip(valid, told)]
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        args.predictions.write_text("".join(lines), encoding="utf-8")
    accuracy = sum(w == t for w, t in zip(wanted, told)) / len(wanted)
    scores = {"rows": len(valid), "accuracy": accuracy, "macro_f1": macro_f1(wanted, told)}
    recipe.print_result(args, scores, trained, recipe.versions(torch, transformers))


if __name__ == "__main__":
    main()
