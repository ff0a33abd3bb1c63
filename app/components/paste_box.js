// An image out of the clipboard, pasted anywhere on the page, to the server (trigger "pasted": {name, data}).

export default function ({ parentElement: root, data, setTriggerValue }) {
  const said = root.querySelector(".said"), usual = said.dataset.usual ??= said.textContent;
  const paste = (event) => {
    const item = [...(event.clipboardData?.items ?? [])].find((one) => one.kind === "file" && one.type.startsWith("image/"));
    if (!item) return;
    event.preventDefault();
    const file = item.getAsFile();
    if (file.size > data.most) { said.textContent = `The pasted image is larger than ${Math.round(data.most / 2 ** 20)} MB.`; return; }
    const reader = new FileReader();
    reader.onload = () => {
      said.textContent = usual;
      setTriggerValue("pasted", { name: file.name || "pasted.png", data: String(reader.result).split(",")[1] });
    };
    reader.readAsDataURL(file);
  };
  window.addEventListener("paste", paste);
  root.querySelector(".isp").dataset.ready = "1";
  return () => window.removeEventListener("paste", paste);
}
