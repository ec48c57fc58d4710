"""The text is encoded with the model that is named."""

from case import load, settle

module = load("imagen_pytorch/t5.py", "transformers")
names = []
module.t5_tokenize = lambda texts, name: (0, 0)
module.t5_encode_tokenized_text = lambda *_, name=module.DEFAULT_T5_NAME, **__: names.append(name)
module.t5_encode_text(["a"], name="another")
settle(names != ["another"])
