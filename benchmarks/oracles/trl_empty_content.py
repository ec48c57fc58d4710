"""An empty answer is put into the same structure as any other."""

from case import definition, settle

prepare = definition("trl/data_utils.py", "prepare_multimodal_messages")
messages = prepare([{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}], images=[])
settle(isinstance(messages[1]["content"], str))
