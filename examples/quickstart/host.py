"""The plugin system of the usual tutorial, in ten lines; run it in this folder."""

import plugline

host = plugline.Host("plugins", interface=["transform", "describe"])
for rejected in host.rejected:
    print(f"[SKIP] {rejected.name}.py: {'; '.join(finding.message for finding in rejected.findings)}")
for plugin in host:
    print(f"[OK] Loaded: {plugin.load().describe()}")
record = {"name": " Alice ", "role": " admin ", "score": 95}
print("before:", record)
for plugin in host:
    record = plugin.load().transform(record)
    print(f"after {plugin.name}:", record)
print("in one call:", host.chain("transform")({"name": " Bob ", "role": " guest ", "score": 71}))
