// Identifies the species on a photograph: in one call, and twice over in a stream; then watches a coral job.
//
// usage: npm run identify -- URL PHOTO

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { CoralService } from "./gen/menagerie/coral/v1/coral_pb.js";
import { type PredictStreamRequest, PredictStreamRequestSchema, SpeciesService } from "./gen/menagerie/species/v1/species_pb.js";
import { type Image, ImageSchema } from "./gen/menagerie/type/v1/image_pb.js";

async function identify(transport: Transport, image: Image): Promise<void> {
  const api = createClient(SpeciesService, transport);
  const answer = await api.uploadFile({ input: { case: "image", value: image } });
  console.log(`UploadFile: ${answer.speciesnet?.predictionDisplayName}`);
}

async function* twice(image: Image): AsyncIterable<PredictStreamRequest> {
  for (const id of ["first", "second"]) {
    yield create(PredictStreamRequestSchema, { id, image });
  }
}

async function identifyAll(transport: Transport, image: Image): Promise<void> {
  const api = createClient(SpeciesService, transport);
  for await (const { id, outcome } of api.predictStream(twice(image))) {
    const text = outcome.case === "speciesnet" ? outcome.value.predictionDisplayName : outcome.value;
    console.log(`PredictStream: ${id}: ${text}`);
  }
}

async function watch(transport: Transport, jobId: string): Promise<void> {
  const api = createClient(CoralService, transport);
  try {
    for await (const event of api.watchStatus({ jobId })) {
      console.log(`WatchStatus: ${event.status}`);
    }
  } catch (problem) {
    console.log(`WatchStatus: ${Code[ConnectError.from(problem).code]}`);
  }
}

const [url, photo] = process.argv.slice(2);
if (url === undefined || photo === undefined) {
  throw new Error("usage: npm run identify -- URL PHOTO");
}
const image = create(ImageSchema, { content: await readFile(photo), filename: basename(photo) });
const web = createGrpcWebTransport({ baseUrl: url }); // What a browser uses, too; it sends no streams.
const native = createGrpcTransport({ baseUrl: url });
await identify(web, image);
await identifyAll(native, image);
await watch(web, "0");
