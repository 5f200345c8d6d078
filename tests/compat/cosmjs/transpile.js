// Takes the types out of what ts-proto generated, so that node runs it: transpile.js FOLDER.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const [folder] = process.argv.slice(2);
const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 };
for (const file of readdirSync(folder, { recursive: true })) {
  if (!file.endsWith(".ts")) continue;
  const { outputText } = ts.transpileModule(readFileSync(join(folder, file), "utf8"), { compilerOptions });
  writeFileSync(join(folder, file.replace(/\.ts$/, ".js")), outputText);
}
