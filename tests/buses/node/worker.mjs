// Does jobs until its input ends, and says what it sees: worker.mjs URL QUEUE
// A job with {"fail": N} in its data fails in its first N attempts.
import { Worker } from "bullmq";
import { Redis } from "ioredis";

const [url, name] = process.argv.slice(2);
const connection = new Redis(url, { maxRetriesPerRequest: null });
const say = (what) => console.log(JSON.stringify(what));

const process_ = async (job) => {
  const { id, name, data, opts, attemptsMade, timestamp } = job;
  say({ job: { id, name, data, opts, attemptsMade, timestamp } });
  if (attemptsMade < (data.fail ?? 0)) throw new Error(`no ${attemptsMade + 1}`);
  return { done: id };
};
const worker = new Worker(name, process_, { connection });
worker.on("completed", (job) => say({ completed: job.id, returned: job.returnvalue }));
worker.on("failed", (job, error) => say({ failed: job.id, why: error.message }));
worker.on("error", (error) => say({ error: error.message }));
await worker.waitUntilReady();
say({ ready: true });
for await (const _ of process.stdin);
await worker.close();
connection.disconnect();
