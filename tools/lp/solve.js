// Solves the linear program in a file (CPLEX LP format) with HiGHS and prints the value of its optimum.
//
//   NODE_PATH=build/lp/node_modules node tools/lp/solve.js FILE
const { readFileSync } = require("node:fs");

require("highs")().then((highs) => {
  const { Status, ObjectiveValue } = highs.solve(readFileSync(process.argv[2], "utf8"));
  if (Status !== "Optimal") throw new Error(`no optimum: ${Status}`);
  console.log(ObjectiveValue);
});
