"""Bodies as real clients put them on the wire, recorded from each of them.

The name says the client and what it was asked to do. Ids of tool calls are of the recording.
"""

CHAT = {
    "mistralai-0.0.12": """{"model": "mistral-small", "messages": [{"role": "user", "content":
        "Tell me a joke about sharks"}], "safe_prompt": false, "temperature": 0.5, "max_tokens": 5,
        "top_p": 0.9, "random_seed": 3, "stream": false}""",
    "mistralai-0.0.12 safe_mode": """{"model": "mistral-small", "messages": [{"role": "user",
        "content": "x"}], "safe_prompt": true, "stream": false}""",
    "mistralai-0.0.12 stream": """{"model": "mistral-small", "messages": [{"role": "user",
        "content": "joke"}], "safe_prompt": false, "stream": true}""",
    "mistralai-0.1.8 tools": """{"messages": [{"role": "user", "content": "x"}], "safe_prompt":
        false, "model": "demo", "tools": [{"type": "function", "function": {"name": "get",
        "description": "d", "parameters": {"type": "object"}}}], "stream": false, "tool_choice":
        "any", "response_format": {"type": "text"}}""",
    "mistralai-0.1.8 tool result": """{"messages": [{"role": "user", "content": "x"}, {"role":
        "assistant", "content": "", "tool_calls": [{"id": "kDdd1XPvp", "type": "function",
        "function": {"name": "get", "arguments": "{\\"a\\": 1}"}}]}, {"role": "tool", "content":
        "7", "name": "get"}], "safe_prompt": false, "model": "demo", "tools": [{"type": "function",
        "function": {"name": "get", "description": "d", "parameters": {"type": "object"}}}],
        "stream": false, "tool_choice": "none"}""",
    "mistralai-0.1.8 list of texts": """{"messages": [{"role": "user", "content": ["a", "b"]}],
        "safe_prompt": false, "model": "demo", "stream": false}""",
    "mistralai-0.4.2": """{"messages":[{"role":"user","content":"Tell me a joke about sharks"}],
        "model":"mistral-small","temperature":0.5,"max_tokens":5,"top_p":0.9,"random_seed":3,
        "safe_prompt":true,"stream":false}""",
    "mistralai-0.4.2 tool result": """{"messages":[{"role":"user","content":"x"},{"role":
        "assistant","content":"","tool_calls":[{"id":"CWiPvDoP7","type":"function","function":
        {"name":"get","arguments":"{\\"a\\": 1}"}}]},{"role":"tool","content":"7","name":"get",
        "tool_call_id":"CWiPvDoP7"}],"model":"demo","tools":[{"type":"function","function":{"name":
        "get","description":"d","parameters":{"type":"object"}}}],"stream":false,"tool_choice":
        "none"}""",
    "mistralai-1.12.4 nulls": """{"model":"mistral-small","messages":[{"content":"x","role":"user"}
        ],"temperature":null,"max_tokens":null,"stream":false,"stop":["a"],"random_seed":null,
        "metadata":null,"tools":null,"presence_penalty":0.5,"frequency_penalty":0.0,"n":null,
        "parallel_tool_calls":true,"prompt_mode":null,"safe_prompt":true}""",
    "mistralai-1.12.4 stream": """{"model":"demo","messages":[{"content":"x","role":"user"}],
        "stream":true,"stop":"zz","random_seed":5,"response_format":{"type":"text"}}""",
    "mistralai-1.12.4 one tool": """{"model":"demo","messages":[{"content":"x","role":"user"}],
        "stream":false,"tools":[{"function":{"name":"get","parameters":{"type":"object"},
        "description":"d"},"type":"function"}],"tool_choice":{"function":{"name":"get"}}}""",
    "mistralai-1.12.4 tool result": """{"model":"demo","messages":[{"content":"q","role":"user"},
        {"role":"assistant","content":"","tool_calls":[{"function":{"name":"get","arguments":
        "{\\"a\\": 1}"},"id":"3gwRVEjKm","type":"function","index":0}],"prefix":false},{"content":
        "7","role":"tool","tool_call_id":"3gwRVEjKm","name":"get"}],"stream":false}""",
    "mistralai-1.12.4 prefix": """{"model":"demo","messages":[{"content":[{"text":"a","type":"text"
        }],"role":"user"},{"role":"assistant","content":"no","prefix":true}],"stream":false}""",
    "mistralai-2.10.1 one tool": """{"model":"demo","messages":[{"content":"x","role":"user"}],
        "stream":false,"tools":[{"function":{"name":"get","parameters":{"type":"object"},
        "description":"d"},"type":"function"}],"tool_choice":{"function":{"name":"get"},"type":
        "function"}}""",
    "mistralai-2.10.1 arguments as object": """{"model":"demo","messages":[{"content":"q","role":
        "user"},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get",
        "arguments":{"a":1}},"id":"abcdefghi","type":"function","index":0}],"prefix":false},
        {"content":"1","role":"tool","tool_call_id":"abcdefghi"}],"stream":false}""",
    "mistralai-2.10.1 nulls": """{"model":"demo","messages":[{"content":"x","role":"user"}],
        "top_p":null,"stream":false,"stop":null,"presence_penalty":null,"frequency_penalty":null,
        "reasoning_effort":null}""",
    "mistralai-3.7.0 parse": """{"model":"demo","messages":[{"content":"x","role":"user"}],
        "stream":false,"response_format":{"type":"json_schema","json_schema":{"name":"Out",
        "schema":{"$defs":{"In":{"properties":{"z":{"title":"Z","type":"integer"}},"required":["z"]
        ,"title":"In","type":"object","additionalProperties":false}},"properties":{"x":{"$ref":
        "#/$defs/In"},"y":{"title":"Y","type":"string"}},"required":["x","y"],"title":"Out",
        "type":"object","additionalProperties":false},"strict":true}}}""",
    "mistralai-3.7.0 logprobs": """{"model":"demo","messages":[{"content":"x","role":"user"}],
        "stream":false,"min_tokens":1,"repetition_penalty":1.1,"top_k":5,"logprobs":true,
        "top_logprobs":2,"prompt_logprobs":true,"top_prompt_logprobs":1}""",
    "mistralai-3.7.0 nulls": """{"model":"demo","messages":[{"content":"x","role":"user"}],
        "top_p":null,"stream":false,"stop":null,"presence_penalty":null,"frequency_penalty":null,
        "reasoning_effort":null,"guardrails":null}""",
    "openai-3.57.0 everything": """{"model":"mistral-small","service_tier":"auto","messages":[
        {"role":"developer","content":"s"},{"role":"user","content":"x"}],"frequency_penalty":-1,
        "logit_bias":{"5":-100},"logprobs":true,"max_completion_tokens":5,"max_tokens":5,
        "metadata":{"a":"b"},"n":2,"presence_penalty":1,"prompt_cache_key":"k","response_format":
        {"type":"json_object"},"safety_identifier":"s","seed":1,"stop":["a"],"store":true,
        "temperature":2,"top_logprobs":2,"top_p":0,"user":"u","top_k":5,"min_p":0.1,
        "repetition_penalty":1.1,"routing":true,"steering":{"top_k":1,"force":[2],"layers":{"1":
        {"forbid":[3],"reweight":{"1":0.5}}}},"ignore_eos":true,"min_tokens":1,"stop_token_ids":[7]
        }""",
    "openai-3.57.0 stream": """{"model":"demo","stream":true,"messages":[{"role":"user",
        "content":"x"}],"logprobs":true,"stream_options":{"include_usage":true}}""",
    "openai-3.57.0 tools": """{"model":"demo","messages":[{"role":"user","content":"x"}],
        "parallel_tool_calls":false,"tool_choice":"required","tools":[{"type":"function",
        "function":{"name":"get","parameters":{"type":"object"},"strict":true}}]}""",
    "openai-3.57.0 answer sent back": """{"model":"demo","messages":[{"role":"user","content":"x"},
        {"content":"","refusal":null,"role":"assistant","annotations":null,"audio":null,
        "function_call":null,"tool_calls":[{"id":"QUodL7Doe","function":{"arguments":
        "{\\"a\\": 1}","name":"get"},"type":"function","index":0}]},{"role":"tool","tool_call_id":
        "QUodL7Doe","content":[{"type":"text","text":"7"}]}]}""",
    "langchain-mistralai-1.1.6": """{"messages":[{"role":"user","content":"x"}],"model":"demo",
        "temperature":0.7,"max_tokens":7,"top_p":0.5,"random_seed":4,"safe_prompt":true,"stop":
        ["q"],"stream":false}""",
    "langchain-mistralai-1.1.6 tool result": """{"messages":[{"role":"user","content":"x"},{"role":
        "assistant","tool_calls":[{"function":{"name":"get","arguments":"{\\"a\\": 1}"},"id":
        "9qRrpSS4v"}],"content":""},{"role":"tool","content":"1","name":null,"tool_call_id":
        "9qRrpSS4v"}],"model":"mistral-small","temperature":0.7,"top_p":1,"tools":[{"type":
        "function","function":{"name":"get","description":"gets","parameters":{"properties":{"a":
        {"type":"integer"}},"required":["a"],"type":"object"}}}],"tool_choice":"any","stream":false
        }""",
    "langchain-mistralai-1.1.6 structured": """{"messages":[{"role":"user","content":"x"}],
        "model":"mistral-small","temperature":0.7,"top_p":1,"response_format":{"type":
        "json_schema","json_schema":{"name":"Out","description":"","strict":true,"schema":
        {"properties":{"a":{"type":"integer"}},"required":["a"],"type":"object",
        "additionalProperties":false}}},"stream":false}""",
    # As documented, not recorded: litellm turns OpenAI's names into Mistral's.
    "litellm mistral/": """{"model":"mistral-small","messages":[{"role":"user","content":"x"}],
        "max_tokens":5,"random_seed":1,"stop":["a"],"parallel_tool_calls":true,
        "tools":[{"type":"function","function":{"name":"get","parameters":{}}}],"tool_choice":
        "any","stream":true}""",
}

COMPLETIONS = {
    "openai-3.57.0 two texts": """{"model":"demo","prompt":["a","b"],"best_of":1,"echo":true,
        "logprobs":2,"max_tokens":0,"suffix":null}""",
    "openai-3.57.0 tokens": """{"model":"demo","prompt":[1,2,3]}""",
    "openai-3.57.0 lists of tokens": """{"model":"demo","prompt":[[1,2],[3]]}""",
    "openai-3.57.0 stream": """{"model":"demo","stream":true,"prompt":"a","logprobs":0,
        "stream_options":{"include_usage":true,"include_obfuscation":false}}""",
}

MODERATIONS = {
    "mistralai-1.12.4 one": """{"input":[{"content":"x","role":"user"}],"model":"demo"}""",
    "mistralai-3.7.0 two": """{"input":[[{"content":"x","role":"user"}],[{"content":"y","role":
        "user"}]],"model":"demo"}""",
}
