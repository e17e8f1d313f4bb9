// A step of a scale is chosen as any other label; only the page draws the steps in their order.

export { surface } from "./choice.js";
