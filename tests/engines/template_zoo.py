"""The table of `test_template_zoo.py`: chat templates in the shapes of well-known families, and what is right for each.

They are written here, after the shape of each family's, and shorter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Long lines and strings are templates and renderings.
# ruff: noqa: E501

SPECIAL = [
    "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "[INST]", "[/INST]",
    "<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|end|>", "<|START_OF_TURN_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>", "<|start|>", "<|message|>", "<|channel|>", "<|return|>", "<end_of_utterance>",
]  # fmt: skip


@dataclass(frozen=True)
class Family:
    """A template and what is right for it.

    Attributes:
        template: its source.
        shown: what a user's turn X without a system prompt becomes; "" where that is refused.
        system: what it becomes after the system prompt S; None where the family has none.
        refused: part of the message, where it is refused; of a system prompt, where only that is.
        told: what the report must say.
        end: the token that ends an answer.
        more: what jinja2 is given for the same rendering.
        parts: whose content it takes as parts.

    """

    template: object
    shown: str = ""
    system: str | None = None
    refused: str = ""
    told: tuple[str, ...] = ()
    end: str = ""
    more: dict[str, object] = field(default_factory=dict)
    parts: str = ""


CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN3 = CHATML.replace(
    "assistant\n' }}{% endif",
    "assistant\n' }}{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif",
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + "
    "m['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
LLAMA31 = (
    "{{ bos_token }}{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "{% if messages[0]['role'] == 'system' %}{% set sys = messages[0]['content'] | trim %}{% set messages = messages[1:] %}"
    "{% else %}{% set sys = '' %}{% endif %}<|start_header_id|>system<|end_header_id|>\n\nToday Date: {{ date_string }}"
    "\n\n{{ sys }}<|eot_id|>{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
VISION = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<|image|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GUARD = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{% for part in m['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set sys = messages[0]['content'] %}"
    "{% else %}{% set loop_messages = messages %}{% set sys = false %}{% endif %}{% for m in loop_messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{% if loop.index0 == 0 and sys %}{% set content = '<<SYS>>\n' + sys + '\n<</SYS>>\n\n' + m['content'] %}"
    "{% else %}{% set content = m['content'] %}{% endif %}{% if m['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}"
    "{% endif %}{% endfor %}"
)
MISTRAL = (
    "{% if messages[0].role == 'system' %}{% set sys = messages[0].content %}{% set rest = messages[1:] %}"
    "{% else %}{% set sys = '' %}{% set rest = messages %}{% endif %}{{ bos_token }}{% for m in rest %}"
    "{% if m.role == 'user' %}{{ '[INST] ' + (sys + '\n\n' if sys and loop.last else '') + m.content + '[/INST]' }}"
    "{% elif m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}"
)
SMALL3 = (
    "{% set today = strftime_now('%Y-%m-%d') %}{% if messages[0].role == 'system' %}{% set sys = messages[0].content %}"
    "{% set rest = messages[1:] %}{% else %}{% set sys = 'You know things until 2023. It is ' + today + '.' %}"
    "{% set rest = messages %}{% endif %}{{ bos_token }}[SYSTEM_PROMPT]{{ sys }}[/SYSTEM_PROMPT]{% for m in rest %}"
    "{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
PHI3 = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
ZEPHYR = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}"
)
COMMAND = (
    "{{ bos_token }}{% for m in messages %}{{ '<|START_OF_TURN_TOKEN|><|' + ('CHATBOT' if m['role'] == 'assistant' else "
    "m['role'] | upper) + '_TOKEN|>' + m['content'].strip() + '<|END_OF_TURN_TOKEN|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}"
)
GRANITE = (
    "{% if messages[0]['role'] == 'system' %}{% set sys = messages[0]['content'] %}{% set rest = messages[1:] %}{% else %}"
    "{% set sys = \"Today's Date: \" + strftime_now('%B %d, %Y') + '.' %}{% if thinking %}"
    "{% set sys = sys + ' Write your thoughts down first.' %}{% endif %}{% set rest = messages %}{% endif %}"
    "{{ '<|start|>system<|message|>' + sys + '<|end|>\n' }}{% for m in rest %}"
    "{{ '<|start|>' + m['role'] + '<|message|>' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant<|message|>' }}{% endif %}"
)
R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}"
    "{{ '<|user|>' + m.content }}{% else %}{% set said = m.content.split('</think>')[-1] %}"
    "{{ '<|assistant|>' + said + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}THOUGHT{% endif %}"
)
V31 = (
    "{% if not thinking is defined %}{% set thinking = true %}{% endif %}{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}{{ '<|user|>' + m.content }}"
    "{% else %}{{ '<|assistant|></think>' + m.content + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' + ('<think>' if thinking else '</think>') }}{% endif %}"
)
HARMONY = (
    "<|start|>system<|message|>Current date: {{ strftime_now('%Y-%m-%d') }}\n"
    "Reasoning: {{ reasoning_effort or 'medium' }}\nValid channels: analysis, final.<|end|>{% for m in messages %}"
    "{% if m.role == 'assistant' %}{% if m.thinking %}{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking "
    "+ '<|end|>' }}{% endif %}{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|return|>' }}{% else %}"
    "{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
EFFORT = (
    "{% set effort = reasoning_effort if reasoning_effort in ['none', 'high'] else 'high' %}{{ bos_token }}"
    "[SETTINGS]{{ effort }}[/SETTINGS]{% for m in messages %}{% if m.role == 'assistant' %}{% if m.thinking %}"
    "[THINK]{{ m.thinking }}[/THINK]{% endif %}{{ m.content + eos_token }}{% else %}{{ '[INST]' + m.content + '[/INST]' }}"
    "{% endif %}{% endfor %}"
)
BUDGET = CHATML.replace(
    "assistant\n' }}{% endif",
    "assistant\n' }}{% if thinking_budget is defined and thinking_budget == 0 %}"
    "{{ '<seed:think>none</seed:think>' }}{% endif %}{% endif",
)
SMOL = (
    "{% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}{% set mode = '/think' if "
    "enable_thinking else '/no_think' %}{% if messages[0].role == 'system' %}{% set sys = messages[0].content %}"
    "{% set rest = messages[1:] %}{% if '/no_think' in sys %}{% set mode = '/no_think' %}{% endif %}{% else %}"
    "{% set sys = '' %}{% set rest = messages %}{% endif %}"
    "{{ '<|im_start|>system\nDate: ' + strftime_now('%d %B %Y') + '\nMode: ' + mode + '\n' + sys + '<|im_end|>\n' }}"
    "{% for m in rest %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% if mode == '/no_think' %}"
    "{{ '<think>\n\n</think>\n' }}{% endif %}{% endif %}"
)
GLM = (
    "[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% if m.role == 'user' and enable_thinking is "
    "defined and not enable_thinking %}/nothink{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '\n<think></think>' }}{% endif %}{% endif %}"
)
IDEFICS = (
    "{% for m in messages %}{{ m['role'] | capitalize }}{% if m['content'][0]['type'] == 'image' %}:{% else %}: "
    "{% endif %}{% for line in m['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}{% else %}<image>"
    "{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
MIXED = (
    "{% if messages[0].role == 'system' %}{{ '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.role }}\n{% for part in m.content %}{{ part.text }}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ALPACA = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ m.content + '\n\n' }}{% elif m.role == 'user' %}"
    "{{ '### Instruction:\n' + m.content + '\n\n' }}{% else %}{{ '### Response:\n' + m.content + eos_token + '\n\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
)
VICUNA = (
    "{% for m in messages %}{{ {'system': '', 'user': 'USER: ', 'assistant': 'ASSISTANT: '}[m.role] + m.content + ' ' }}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
NO_HEADER = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
CHAT_X = "<|im_start|>user\nX<|im_end|>\n"
CHAT_S = "<|im_start|>system\nS<|im_end|>\n"
OPEN_A = "<|im_start|>assistant\n"
NO_THOUGHT = "thinking switched off"
DATED = "date pinned to 26 Jul 2024"
BOS, EOS = "<s>", "</s>"

ZOO = {
    "chatml": Family(CHATML, CHAT_X + OPEN_A, CHAT_S + CHAT_X + OPEN_A, end="<|im_end|>"),
    "llama2": Family(LLAMA2, "<s>[INST] X [/INST]", "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nX [/INST]", end=EOS),
    "llama3": Family(
        LLAMA3,
        "<s><|start_header_id|>user<|end_header_id|>\n\nX<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nX"
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        end="<|eot_id|>",
    ),
    "llama3.1, date_string": Family(
        LLAMA31,
        "<s><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user"
        "<|end_header_id|>\n\nX<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<s><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\nS<|eot_id|><|start_header_id|>user"
        "<|end_header_id|>\n\nX<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        told=(DATED,),
        end="<|eot_id|>",
        more={"date_string": "26 Jul 2024"},
    ),
    "mistral, system in the last turn": Family(MISTRAL, "<s>[INST] X[/INST]", "<s>[INST] S\n\nX[/INST]", end=EOS),
    "mistral small 3": Family(
        SMALL3,
        "<s>[SYSTEM_PROMPT]You know things until 2023. It is 2024-07-26.[/SYSTEM_PROMPT][INST]X[/INST]",
        "<s>[SYSTEM_PROMPT]S[/SYSTEM_PROMPT][INST]X[/INST]",
        told=(DATED,),
        end=EOS,
    ),
    "gemma, no system role": Family(
        GEMMA, "<s><start_of_turn>user\nX<end_of_turn>\n<start_of_turn>model\n", end="<end_of_turn>",
        refused="System role not supported",
    ),
    "phi3": Family(PHI3, "<|user|>\nX<|end|>\n<|assistant|>\n", "<|system|>\nS<|end|>\n<|user|>\nX<|end|>\n<|assistant|>\n", end="<|end|>"),
    "zephyr": Family(ZEPHYR, "<|user|>\nX</s>\n<|assistant|>\n", "<|system|>\nS</s>\n<|user|>\nX</s>\n<|assistant|>\n", end=EOS),
    "command-r": Family(
        COMMAND,
        "<s><|START_OF_TURN_TOKEN|><|USER_TOKEN|>X<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
        "<s><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>S<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>X"
        "<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
        end="<|END_OF_TURN_TOKEN|>",
    ),
    "granite, thinking": Family(
        GRANITE,
        "<|start|>system<|message|>Today's Date: July 26, 2024.<|end|>\n<|start|>user<|message|>X<|end|>\n"
        "<|start|>assistant<|message|>",
        "<|start|>system<|message|>S<|end|>\n<|start|>user<|message|>X<|end|>\n<|start|>assistant<|message|>",
        told=(DATED, f"{NO_THOUGHT} (thinking=False)"),
        end="<|end|>",
    ),
    "qwen3, enable_thinking": Family(
        QWEN3,
        CHAT_X + OPEN_A + "<think>\n\n</think>\n\n",
        CHAT_S + CHAT_X + OPEN_A + "<think>\n\n</think>\n\n",
        told=(f"{NO_THOUGHT} (enable_thinking=False)",),
        end="<|im_end|>",
        more={"enable_thinking": False},
    ),
    "deepseek r1, opens a thought": Family(R1.replace("THOUGHT", "<think>\n"), refused="opens a thinking block"),
    "deepseek r1, the model opens it": Family(R1.replace("THOUGHT", ""), refused="mentions thinking (</think>)"),
    "deepseek v3.1, thinking": Family(
        V31,
        "<s><|user|>X<|assistant|></think>",
        "<s>S<|user|>X<|assistant|></think>",
        told=(f"{NO_THOUGHT} (thinking=False)",),
        end=EOS,
        more={"thinking": False},
    ),
    "gpt-oss, always thinks": Family(HARMONY, refused="mentions thinking (<|channel|>analysis)"),
    "effort none or high": Family(
        EFFORT,
        "<s>[SETTINGS]none[/SETTINGS][INST]X[/INST]",
        "<s>[SETTINGS]none[/SETTINGS][INST]S[/INST][INST]X[/INST]",
        told=(f"{NO_THOUGHT} (reasoning_effort=none)",),
        end=EOS,
        more={"reasoning_effort": "none"},
    ),
    "seed, a budget of none": Family(
        BUDGET,
        CHAT_X + OPEN_A + "<seed:think>none</seed:think>",
        CHAT_S + CHAT_X + OPEN_A + "<seed:think>none</seed:think>",
        told=(f"{NO_THOUGHT} (thinking_budget=0)",),
        end="<|im_end|>",
        more={"thinking_budget": 0},
    ),
    "smollm3, /no_think and a date": Family(
        SMOL,
        "<|im_start|>system\nDate: 26 July 2024\nMode: /no_think\n<|im_end|>\n" + CHAT_X + OPEN_A + "<think>\n\n</think>\n",
        "<|im_start|>system\nDate: 26 July 2024\nMode: /no_think\nS<|im_end|>\n" + CHAT_X + OPEN_A + "<think>\n\n</think>\n",
        told=(DATED, f"{NO_THOUGHT} (enable_thinking=False)"),
        end="<|im_end|>",
        more={"enable_thinking": False},
    ),
    "glm, a word after the turn": Family(
        GLM,
        "[gMASK]<sop><|user|>\nX/nothink<|assistant|>\n<think></think>",
        "[gMASK]<sop><|system|>\nS<|user|>\nX/nothink<|assistant|>\n<think></think>",
        told=(f"{NO_THOUGHT} (enable_thinking=False)",),
        end="<|user|>",
        more={"enable_thinking": False},
    ),
    "llama 3.2 vision, text or parts": Family(
        VISION,
        "<s><|start_header_id|>user<|end_header_id|>\n\nX<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nX"
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        end="<|eot_id|>",
    ),
    "llama guard, parts alone": Family(
        GUARD,
        "<s><|start_header_id|>user<|end_header_id|>\n\nX<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nX"
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        told=("the content given as a list of parts",),
        end="<|eot_id|>",
        parts="system user",
    ),
    "smolvlm, parts alone": Family(
        IDEFICS,
        "User: X<end_of_utterance>\nAssistant:",
        "System: S<end_of_utterance>\nUser: X<end_of_utterance>\nAssistant:",
        told=("the content given as a list of parts",),
        end="<end_of_utterance>",
        parts="system user",
    ),
    "parts of the user alone": Family(
        MIXED,
        CHAT_X + OPEN_A,
        CHAT_S + CHAT_X + OPEN_A,
        told=("content given as a list of parts",),
        end="<|im_end|>",
        parts="user",
    ),
    "alpaca": Family(
        ALPACA, "### Instruction:\nX\n\n### Response:\n", "S\n\n### Instruction:\nX\n\n### Response:\n", end=EOS
    ),
    "vicuna without its eos": Family(
        VICUNA, "USER: X ASSISTANT:", "S USER: X ASSISTANT:", told=("no special token ends an answer but EOS",)
    ),
    "no generation prompt": Family(
        NO_HEADER,
        CHAT_X,
        CHAT_S + CHAT_X,
        told=("the template does not open the answer",),
        end="<|im_end|>",
    ),
    "default and tool_use": Family(
        {"default": CHATML, "tool_use": "{{ raise_exception('tools only') }}"},
        CHAT_X + OPEN_A,
        CHAT_S + CHAT_X + OPEN_A,
        end="<|im_end|>",
    ),
    "tool_use alone": Family({"tool_use": CHATML, "rag": CHATML}, refused="none of them is named default"),
    "no user text": Family("<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n", refused="leaves out the prompt"),
    "the prompt twice": Family(
        "{% for m in messages %}{{ m.content + ' Again: ' + m.content }}{% endfor %}", refused="writes the prompt 2 times"
    ),
    "upper case": Family(
        "{% for m in messages %}{{ m.content | upper }}{% endfor %}", refused="leaves out the prompt or changes it"
    ),
    "escaped": Family(
        "{% for m in messages %}{{ m.content | escape }}{% endfor %}", refused="leaves out the prompt or changes it"
    ),
    "cut": Family("{{ messages[-1].content[:40] }}", refused="leaves out the prompt or changes it"),
    "prints parts as Python does": Family(
        "{% if messages[-1].content is string %}{{ raise_exception('wants parts') }}{% endif %}{{ messages[-1].content }}",
        refused="wants parts",
    ),
    "the system prompt left out": Family(
        "{% for m in messages if m.role == 'user' %}{{ '[INST]' + m.content + '[/INST]' }}{% endfor %}",
        "[INST]X[/INST]",
        refused="leaves out the system prompt",
    ),
    "magistral, thinks by its system prompt": Family(
        SMALL3.replace("You know", "First draft inside [THINK] and [/THINK]. You know"), refused="mentions thinking ([THINK])"
    ),
    "exaone deep": Family(CHATML.replace("assistant\n' }}{%", "assistant\n<thought>\n' }}{%"), refused="opens a thinking"),
    "switch that is refused": Family(
        "{% if enable_thinking is defined and not enable_thinking %}{{ raise_exception('always thinks') }}{% endif %}"
        + CHATML.replace("assistant\n' }}{%", "assistant\n<think>\n' }}{%"),
        refused="opens a thinking block",
    ),
    "syntax error": Family("{% for m in messages %}", refused="cannot be rendered"),
    "a clock that is not there": Family("{{ now() }}" + CHATML, refused="'now' is undefined"),
    "raises": Family("{{ raise_exception('no chat\nhere') }}", refused="no chat here"),
    "at random": Family(
        "{{ ['a', 'b', 'c', 'd'] | random }}|{% for m in messages %}{{ m.content }}{% endfor %}|",
        told=("random choices pinned",),
        refused="-",
    ),
}  # fmt: skip
