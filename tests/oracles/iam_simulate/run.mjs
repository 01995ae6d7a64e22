// Answers cases with @cloud-copilot/iam-simulate: JSON lines in, JSON lines out, in the same order.
//
// A line in is what runSimulation takes. A line out is {"result": ..., "ignored": [...]} or {"error": ...}; keys of the
// request that do not belong to the action are ignored by the simulator, and said, so that no case passes for another.
import { createInterface } from "node:readline";
import { runSimulation } from "@cloud-copilot/iam-simulate";

for await (const line of createInterface({ input: process.stdin })) {
  const found = await runSimulation(JSON.parse(line), { simulationMode: "Strict" });
  const answer =
    found.resultType === "single"
      ? { result: found.overallResult, ignored: found.result.ignoredContextKeys ?? [] }
      : { error: found.errors ?? found.resultType };
  process.stdout.write(JSON.stringify(answer) + "\n");
}
