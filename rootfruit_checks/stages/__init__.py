"""The alignment lab: supervised fine-tuning and DPO with TRL."""
