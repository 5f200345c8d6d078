// Reports each test of node's runner as a line of JSON, for the Go test that started it.
export default async function* report(events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details.type === "suite" || data.nesting > 0) continue;
    const cause = data.details.error?.cause ?? data.details.error;
    const error = type === "test:fail" ? (cause?.stack ?? String(cause)) : "";
    yield `${JSON.stringify({ name: data.name, error })}\n`;
  }
}
