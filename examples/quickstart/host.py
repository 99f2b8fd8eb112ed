"""The plugin system of the usual tutorial, in ten lines; run it in this folder."""

import plugline

host = plugline.Host("plugins", interface=["transform", "describe"])
for rejected in host.rejected:
    print(f"[SKIP] {rejected.name}.py: {'; '.join(finding.message for finding in rejected.findings)}")
for described in host.call_all("describe").results.values():
    print(f"[OK] Loaded: {described}")
record: object = {"name": " Alice ", "role": " admin ", "score": 95}
print("before:", record)
for name in host.names:
    record = host.chain("transform", only=[name])(record)
    print(f"after {name}:", record)
print("in one call:", host.chain("transform")({"name": " Bob ", "role": " guest ", "score": 71}))
