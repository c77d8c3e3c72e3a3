// Adds jobs, in one bulk, and says what each of them returned: producer.mjs URL QUEUE [job, …]
import { Queue, QueueEvents } from "bullmq";
import { Redis } from "ioredis";

const [url, name, text] = process.argv.slice(2);
const connect = () => new Redis(url, { maxRetriesPerRequest: null });
const say = (what) => console.log(JSON.stringify(what));

const [first, second] = [connect(), connect()];
const queue = new Queue(name, { connection: first });
const events = new QueueEvents(name, { connection: second, lastEventId: "0-0" }); // misses none
await events.waitUntilReady();
const jobs = await queue.addBulk(JSON.parse(text));
say({ added: jobs.map((job) => job.id) });
for (const job of jobs) {
  try {
    say({ returned: await job.waitUntilFinished(events, 30_000), id: job.id });
  } catch (error) {
    say({ failed: error.message, id: job.id });
  }
}
await events.close();
await queue.close();
first.disconnect();
second.disconnect();
process.stdin.destroy();
