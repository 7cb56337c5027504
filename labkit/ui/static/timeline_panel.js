export default mount((root, panel) => {
  const view = timelineView(panel, { height: panel.model.get("height") });
  root.append(view.root);
  return view.dispose;
});
