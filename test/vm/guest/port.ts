/** Where the agent in the virtual machine serves its metrics. */
export const endpointPort = 9620;
